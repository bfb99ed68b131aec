//! Who may trigger: people by their rights, bots by their names, nobody else.
use super::*;

/// The associations of people without write access, and words that GitHub does not use.
const OTHERS: [&str; 7] = [
    "NONE",
    "CONTRIBUTOR",
    "FIRST_TIMER",
    "FIRST_TIME_CONTRIBUTOR",
    "MANNEQUIN",
    "owner",
    "",
];
const WRITERS: [&str; 3] = ["OWNER", "MEMBER", "COLLABORATOR"];

fn managed() -> WriteAccessSource {
    WriteAccessSource::Provider {
        actor: Actor {
            id: Some(8),
            login: "robot".to_owned(),
        },
    }
}

/// Returns whether the provider must be asked about the sender of a delivery that matches.
#[track_caller]
fn asks_provider(event: &str, payload: &Value, mut of: Trigger) -> bool {
    of.event = event.to_owned();
    match decision_with(&[of], event, payload, &managed()) {
        Decision::Run(run) => run.needs_write_access,
        Decision::Ignored(reason) => panic!("{event} is ignored: {reason}"),
    }
}

/// Returns a payload in which a stranger acts on what a member wrote.
fn stranger_at_a_members(action: &str) -> Value {
    let of_member = json!({"number": 4, "user": {"login": "member", "id": 5}, "author_association": "MEMBER",
        "head": {"ref": "patch", "sha": "aaaaaaa", "repo": {"id": 1, "full_name": "acme/shop"}}});
    json!({"action": action, "sender": {"login": "stranger", "id": 6, "type": "User"},
        "repository": {"id": 1, "owner": {"login": "acme", "id": 2, "type": "Organization"}},
        "issue": of_member, "pull_request": of_member, "discussion": of_member})
}

#[test]
fn a_command_needs_write_access() {
    for association in WRITERS {
        run(&command(), "issue_comment", &comment("/run", association));
    }
    for association in OTHERS {
        let reason = ignored(&command(), "issue_comment", &comment("/run", association));
        assert!(
            reason.starts_with("trigger \"command\" needs write access"),
            "{reason}"
        );
    }
    assert_eq!(
        ignored(&command(), "issue_comment", &comment("/run", "NONE")),
        "trigger \"command\" needs write access: \"mona\" is \"NONE\""
    );
    assert_eq!(
        ignored(&command(), "issue_comment", &comment("/run", "")),
        "trigger \"command\" needs write access, and the delivery does not say whether \"mona\" has it"
    );
}

#[test]
fn an_association_counts_for_the_person_of_whom_it_speaks_alone() {
    let spoken = |event: &str, key: &str, action: &str, author: &str, association: &str| {
        let mut payload = stranger_at_a_members(action);
        payload["sender"] = json!({"login": "mona", "id": 7});
        payload[key] = json!({"body": "x", "user": {"login": author}, "author_association": association,
            "head": {"ref": "patch", "repo": {"id": 1}}});
        decision(&[trigger("t", event)], event, &payload)
    };
    for (event, key, action) in [
        ("issue_comment", "comment", "created"),
        ("commit_comment", "comment", "created"),
        ("discussion_comment", "comment", "created"),
        ("pull_request_review_comment", "comment", "created"),
        ("pull_request_review", "review", "submitted"),
        ("discussion", "discussion", "created"),
        ("issues", "issue", "opened"),
        ("pull_request", "pull_request", "opened"),
    ] {
        for association in WRITERS {
            let own = spoken(event, key, action, "Mona", association);
            assert!(matches!(own, Decision::Run(_)), "{event}: {own:?}");
        }
        for association in OTHERS {
            let none = spoken(event, key, action, "mona", association);
            assert!(matches!(none, Decision::Ignored(_)), "{event}: {none:?}");
        }
        if event != "issues" {
            let others = spoken(event, key, "edited", "member", "OWNER");
            let implied = event == "pull_request";
            assert_eq!(matches!(others, Decision::Run(_)), implied, "{event}");
        }
    }
}

#[test]
fn ids_tell_accounts_apart_whose_login_is_the_same() {
    let mut reused = comment("/run", "OWNER");
    reused["comment"]["user"] = json!({"login": "mona", "id": 1});
    reused["sender"]["id"] = json!(2);
    ignored(&command(), "issue_comment", &reused);
    reused["sender"]["id"] = json!(1);
    run(&command(), "issue_comment", &reused);
}

#[test]
fn nobody_triggers_by_an_event_that_implies_no_right() {
    for (event, action) in [
        ("pull_request_review", "submitted"),
        ("pull_request_review", "dismissed"),
        ("pull_request_review_thread", "resolved"),
        ("pull_request", "closed"),
        ("pull_request", "an_action_of_tomorrow"),
        ("issues", "an_action_of_tomorrow"),
        ("issues", ""),
        ("discussion", "created"),
        ("fork", ""),
        ("star", "created"),
        ("watch", "started"),
        ("gollum", ""),
        ("workflow_run", "completed"),
        ("workflow_job", "completed"),
        ("check_run", "completed"),
        ("check_suite", "requested"),
        ("deployment", "created"),
        ("deployment_status", "created"),
        ("member", "added"),
        ("an_event_of_tomorrow", "created"),
    ] {
        // Whether the commit is a fork's is another question.
        let of = || Trigger {
            forks: ForkPolicy::Allow,
            ..trigger("t", event)
        };
        assert_eq!(
            ignored(&[of()], event, &stranger_at_a_members(action)),
            "trigger \"t\" needs write access, and the delivery does not say whether \"stranger\" has it",
            "{event} {action}"
        );
        let mut own = stranger_at_a_members(action);
        own["repository"]["owner"] = json!({"login": "stranger", "id": 6, "type": "User"});
        run(&[of()], event, &own);
        assert!(asks_provider(event, &own, of()), "{event}");
    }
}

#[test]
fn whoever_pushes_or_releases_has_write_access() {
    for event in [
        "push",
        "create",
        "delete",
        "release",
        "label",
        "repository",
        "workflow_dispatch",
    ] {
        let payload = stranger_at_a_members("created");
        run(&[trigger("t", event)], event, &payload);
        assert!(
            !asks_provider(event, &payload, trigger("t", event)),
            "{event}"
        );
    }
}

#[test]
fn what_takes_a_role_at_github_is_enough_where_nobody_can_be_asked() {
    for (event, action) in [
        ("issues", "labeled"),
        ("issues", "closed"),
        ("issues", "opened"),
        ("pull_request", "labeled"),
        ("pull_request", "edited"),
        ("pull_request", "synchronize"),
        ("milestone", "created"),
    ] {
        let payload = stranger_at_a_members(action);
        run(&[trigger("t", event)], event, &payload);
        assert!(
            asks_provider(event, &payload, trigger("t", event)),
            "{event}"
        );
    }
    let mut merged = stranger_at_a_members("closed");
    merged["pull_request"]["merged"] = json!(true);
    run(&[trigger("t", "pull_request")], "pull_request", &merged);
}

#[test]
fn a_template_that_labels_a_strangers_issue_gives_no_right() {
    let mut stranger = labeled("run:dev");
    stranger["issue"]["author_association"] = json!("NONE");
    let dev = || [trigger("dev", "issues")];
    assert_eq!(
        ignored(&dev(), "issues", &stranger),
        "trigger \"dev\" needs write access: \"mona\" is \"NONE\""
    );
    // Somebody else set the label.
    stranger["sender"]["login"] = json!("owner");
    run(&dev(), "issues", &stranger);
}

#[test]
fn an_event_of_nobody_triggers_nothing() {
    let bots = || Trigger {
        bots: AllowedBots {
            any: true,
            named: Vec::new(),
        },
        ..trigger("t", "push")
    };
    for sender in [
        Value::Null,
        json!({}),
        json!({"id": 5, "type": "Bot"}),
        json!("mona"),
    ] {
        let mut payload = push("refs/heads/main", &[]);
        payload["sender"] = sender;
        for source in [WriteAccessSource::Payload, managed()] {
            let decision = decision_with(&[bots()], "push", &payload, &source);
            let Decision::Ignored(reason) = decision else {
                panic!("ran: {decision:?}");
            };
            assert_eq!(
                reason,
                "trigger \"t\" needs to know who acted, and the delivery names nobody"
            );
        }
    }
}

#[test]
fn ck8s_itself_triggers_nothing() {
    for sender in [
        json!({"login": "Robot"}),
        json!({"login": "renamed", "id": 8}),
        json!({"login": "robot", "id": 8, "type": "Bot"}),
    ] {
        let mut payload = push("refs/heads/main", &[]);
        payload["sender"] = sender;
        let decision = decision_with(&[trigger("t", "push")], "push", &payload, &managed());
        let Decision::Ignored(reason) = decision else {
            panic!("ran: {decision:?}");
        };
        assert!(reason.contains("ck8s itself"), "{reason}");
    }
}

#[test]
fn bots_trigger_only_where_they_are_allowed() {
    let allowing = |any: bool, named: &[&str]| {
        [Trigger {
            bots: AllowedBots {
                any,
                named: texts(named),
            },
            ..trigger("dev", "issues")
        }]
    };
    let mut bot = stranger_at_a_members("opened");
    bot["issue"] = json!({"number": 1, "user": {"login": "dependabot[bot]", "id": 49}, "author_association": "NONE"});
    for sender in [
        json!({"login": "dependabot[bot]", "id": 49, "type": "User"}),
        json!({"login": "Dependabot[bot]", "id": 49, "type": "Bot"}),
    ] {
        bot["sender"] = sender;
        for allowed in [
            allowing(true, &[]),
            allowing(false, &["dependabot[bot]"]),
            allowing(false, &["other", "DEPENDABOT[bot]"]),
            allowing(false, &["49"]),
        ] {
            run(&allowed, "issues", &bot);
            let [allowed] = allowed;
            assert!(!asks_provider("issues", &bot, allowed));
        }
        for refusing in [
            allowing(false, &[]),
            allowing(false, &["renovate[bot]", "4", "dependabot"]),
        ] {
            let reason = ignored(&refusing, "issues", &bot);
            assert!(reason.contains("does not allow bots"), "{reason}");
        }
    }
    // A push proves write access, and yet a bot must be allowed.
    let mut pushed = push("refs/heads/main", &[]);
    pushed["sender"] = json!({"login": "machine", "type": "Bot"});
    ignored(&[trigger("t", "push")], "push", &pushed);
}
