//! Code of other repositories: what runs, with which secrets, in which concurrency group.
use super::*;
use crate::domain::{
    changed_files::ChangedFiles, head::PullRequestHead, origin::OtherRepository,
    repository::WebhookSecrets, run_request::RunRequest,
};

/// The head of the fork's pull request.
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Returns a pull request of the member Mona, whose head is this repository.
fn pull_request(repo: &Value) -> Value {
    json!({"action": "opened", "sender": {"login": "mona"}, "repository": {"id": 1},
        "pull_request": {"number": 9, "user": {"login": "mona"}, "author_association": "MEMBER", "base": {"ref": "main"},
            "head": {"ref": "main", "sha": HEAD, "repo": repo}}})
}

fn fork() -> Value {
    json!({"id": 88, "full_name": "ann/shop"})
}

fn policed(event: &str, forks: ForkPolicy) -> [Trigger; 1] {
    [Trigger {
        forks,
        ..trigger("t", event)
    }]
}

fn managed() -> WriteAccessSource {
    WriteAccessSource::Provider {
        actor: Actor::default(),
    }
}

#[test]
fn a_forks_code_runs_only_where_the_trigger_allows_it_and_without_secrets() {
    for repo in [fork(), Value::Null, json!({}), json!("ann/shop")] {
        let payload = pull_request(&repo);
        let reason = ignored(
            &policed("pull_request", ForkPolicy::Deny),
            "pull_request",
            &payload,
        );
        assert!(reason.contains("`forks: allow`"), "{reason}");
        let allowed = policed("pull_request", ForkPolicy::Allow);
        let trigger = run(&allowed, "pull_request", &payload).trigger;
        assert!(trigger.secrets_withheld, "{repo}");
        let name = repo["full_name"].as_str().unwrap_or("unknown");
        assert_eq!(trigger.head_repository, name);
        let trusted = policed("pull_request", ForkPolicy::AllowWithSecrets);
        let trigger = run(&trusted, "pull_request", &payload).trigger;
        assert!(!trigger.secrets_withheld, "{repo}");
        assert_eq!(trigger.head_repository, name);
    }
    let own = json!({"id": 1, "full_name": "acme/shop"});
    let denied = policed("pull_request", ForkPolicy::Deny);
    let trigger = run(&denied, "pull_request", &pull_request(&own)).trigger;
    assert_eq!(trigger.head_repository, "");
    assert!(!trigger.secrets_withheld);
}

#[test]
fn a_head_without_a_repository_is_ours_unless_it_names_another_owner() {
    let denied = || policed("pull_request", ForkPolicy::Deny);
    let mut payload = pull_request(&Value::Null);
    let head = payload["pull_request"]["head"]
        .as_object_mut()
        .expect("a head");
    head.remove("repo");
    run(&denied(), "pull_request", &payload);
    payload["pull_request"]["head"]["label"] = json!("acme:main");
    run(&denied(), "pull_request", &payload);
    payload["pull_request"]["head"]["label"] = json!("ann:main");
    ignored(&denied(), "pull_request", &payload);
    payload["pull_request"]["head"] = json!({"ref": "main", "user": {"login": "ann"}});
    ignored(&denied(), "pull_request", &payload);
    payload["pull_request"]["head"] = Value::Null;
    ignored(&denied(), "pull_request", &payload);
}

#[test]
fn an_allowed_fork_gives_a_stranger_no_right() {
    let mut payload = pull_request(&fork());
    payload["pull_request"]["author_association"] = json!("NONE");
    let trusted = policed("pull_request", ForkPolicy::AllowWithSecrets);
    let reason = ignored(&trusted, "pull_request", &payload);
    assert!(reason.contains("needs write access"), "{reason}");
    // Whoever pushes to a fork is somebody of the fork.
    payload["action"] = json!("synchronize");
    payload["sender"] = json!({"login": "ann"});
    let reason = ignored(&trusted, "pull_request", &payload);
    assert!(reason.contains("needs write access"), "{reason}");
}

#[test]
fn events_of_a_commit_that_may_be_a_forks_are_a_forks() {
    let owner = json!({"login": "mona", "id": 7});
    for event in [
        "workflow_run",
        "workflow_job",
        "check_run",
        "check_suite",
        "deployment",
        "status",
    ] {
        let payload = json!({"sender": owner, "repository": {"id": 1, "owner": owner}});
        ignored(&policed(event, ForkPolicy::Deny), event, &payload);
        let allowed = policed(event, ForkPolicy::Allow);
        assert!(
            run(&allowed, event, &payload).trigger.secrets_withheld,
            "{event}"
        );
    }
    let of = |repo: Value| {
        json!({"sender": owner, "repository": {"id": 1, "owner": owner},
            "workflow_run": {"head_branch": "main", "head_sha": "fff", "head_repository": repo}})
    };
    let denied = || policed("workflow_run", ForkPolicy::Deny);
    let trigger = run(&denied(), "workflow_run", &of(json!({"id": 1}))).trigger;
    assert_eq!(
        (trigger.git_ref.as_str(), trigger.commit_sha.as_str()),
        ("main", "fff")
    );
    ignored(&denied(), "workflow_run", &of(fork()));
    ignored(&denied(), "workflow_run", &of(Value::Null));
}

#[test]
fn any_bot_of_the_repository_is_none_of_a_fork() {
    let mut payload = pull_request(&fork());
    payload["sender"] = json!({"login": "renovate[bot]", "id": 29, "type": "Bot"});
    payload["pull_request"]["user"] = payload["sender"].clone();
    let allowing = |any: bool, named: &[&str], forks: ForkPolicy| {
        [Trigger {
            bots: AllowedBots {
                any,
                named: texts(named),
            },
            forks,
            ..trigger("t", "pull_request")
        }]
    };
    for forks in [
        ForkPolicy::Deny,
        ForkPolicy::Allow,
        ForkPolicy::AllowWithSecrets,
    ] {
        ignored(&allowing(true, &[], forks), "pull_request", &payload);
    }
    let named = allowing(false, &["renovate[bot]"], ForkPolicy::Deny);
    ignored(&named, "pull_request", &payload);
    let named = allowing(false, &["29"], ForkPolicy::Allow);
    assert!(
        run(&named, "pull_request", &payload)
            .trigger
            .secrets_withheld
    );
    payload["pull_request"]["head"]["repo"] = json!({"id": 1});
    let any = allowing(true, &[], ForkPolicy::Deny);
    assert!(!run(&any, "pull_request", &payload).trigger.secrets_withheld);
}

/// Returns a review with a command, by the member Mona, of the fork's commit `HEAD`.
fn review(body: &str, commit: &str) -> Value {
    let mut payload = pull_request(&fork());
    payload["action"] = json!("submitted");
    payload["review"] = json!({"body": body, "user": {"login": "mona"}, "author_association": "MEMBER",
        "commit_id": commit, "html_url": "https://github.test/r/1"});
    payload
}

#[test]
fn a_command_in_a_review_vouches_for_the_commit_that_was_reviewed() {
    let command = || {
        [Trigger {
            comment: "/run".to_owned(),
            ..trigger("t", "pull_request_review")
        }]
    };
    let event = "pull_request_review";
    let triggered = run(&command(), event, &review("/run all", HEAD)).trigger;
    assert!(!triggered.secrets_withheld);
    assert_eq!(triggered.commit_sha, HEAD);
    assert_eq!(triggered.arguments, "all");
    assert_eq!(triggered.url, "https://github.test/r/1");
    run(
        &command(),
        event,
        &review(&format!("/run {HEAD}"), "bbbbbbbbbb"),
    );
    let refused = [
        ("/run", "bbbbbbbbbb"),
        ("/run aaaaaaa", "bbbbbbbbbb"),
        ("/run bbbbbbb", HEAD),
    ];
    for (body, commit) in refused {
        let reason = ignored(&command(), event, &review(body, commit));
        assert!(
            reason.contains("commit bbbbbbb, and the head is aaaaaaa now"),
            "{reason}"
        );
    }
    let reason = ignored(&command(), event, &review("fine", HEAD));
    assert!(reason.contains("wants a comment"), "{reason}");
    let mut stranger = review("/run", HEAD);
    stranger["review"]["author_association"] = json!("NONE");
    ignored(&command(), event, &stranger);
    let mut bot = review("/run", HEAD);
    bot["sender"] = json!({"login": "ci[bot]"});
    let named = [Trigger {
        bots: AllowedBots {
            any: false,
            named: texts(&["ci[bot]"]),
        },
        ..command().into_iter().next().expect("one")
    }];
    ignored(&named, event, &bot);
}

/// Returns a command on pull request 9, written at noon.
fn command_on_pull_request(body: &str) -> Value {
    let mut payload = comment(body, "OWNER");
    payload["repository"] = json!({"id": 1});
    payload["issue"] = json!({"number": 9, "pull_request": {"url": "https://github.test/9"}});
    payload["comment"]["created_at"] = json!("2026-11-27T12:00:00Z");
    payload
}

#[test]
fn without_a_credential_nobody_knows_the_head_of_a_pull_request() {
    let payload = command_on_pull_request("/run");
    assert_eq!(
        ignored(&command(), "issue_comment", &payload),
        "trigger \"command\" needs the head of pull request 9, for which nobody can be asked without a credential: add \
         one, or let the trigger say `forks: allow`"
    );
    let [mut allowed] = command();
    allowed.forks = ForkPolicy::Allow;
    let triggered = run(&[allowed], "issue_comment", &payload).trigger;
    assert!(triggered.secrets_withheld);
    assert_eq!(
        (
            triggered.commit_sha.as_str(),
            triggered.head_repository.as_str()
        ),
        ("", "unknown")
    );
}

fn repository() -> Repository {
    Repository {
        id: ck8s_types::RepositoryId::new(),
        project_id: ck8s_types::ProjectId::new(),
        full_name: "acme/shop".to_owned(),
        triggers: Vec::new(),
        default_branch: "main".to_owned(),
        secrets: WebhookSecrets {
            current: None,
            previous: Vec::new(),
            previous_until_ms: None,
        },
        write_access: managed(),
    }
}

/// Returns what becomes of a command when the provider states this head.
fn settled(trigger: Trigger, body: &str, head: &PullRequestHead) -> Result<TriggeredRun, String> {
    let payload = command_on_pull_request(body);
    let decision = decision_with(&[trigger], "issue_comment", &payload, &managed());
    let Decision::Run(run) = decision else {
        panic!("{decision:?}");
    };
    let mut request = RunRequest::new(&repository(), *run);
    let question = request.question.clone().expect("a question");
    assert_eq!(question.pull_request, Some(9));
    assert_eq!(
        question.sender.map(|sender| sender.login).as_deref(),
        Some("mona")
    );
    request.settle(Some(head), &ChangedFiles::default())?;
    Ok(request.run)
}

fn head(id: u64, updated_at: &str) -> PullRequestHead {
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};
    PullRequestHead {
        commit: COMMIT.to_owned(),
        branch: "main".to_owned(),
        base_branch: "next".to_owned(),
        repository: OtherRepository {
            id: (id != 0).then_some(id),
            full_name: if id == 0 { "" } else { "ann/shop" }.to_owned(),
        },
        updated_at: OffsetDateTime::parse(updated_at, &Rfc3339).ok(),
    }
}

const COMMIT: &str = "cccccccccccccccccccccccccccccccccccccccc";
const NOON: &str = "2026-11-27T12:00:00Z";
const AFTERNOON: &str = "2026-11-27T12:00:01Z";

#[test]
fn a_command_runs_on_the_head_of_that_moment_and_on_no_newer_one() {
    let grouped = || {
        let [mut trigger] = command();
        let group = Some("{branch} {ref} {number}".to_owned());
        trigger.spec = Ok(RunSpec {
            concurrency_group: group,
            ..RunSpec::default()
        });
        trigger
    };
    let own = settled(grouped(), "/run", &head(1, AFTERNOON)).expect("runs");
    assert_eq!(own.spec.concurrency_group.as_deref(), Some("next main 9"));
    assert_eq!(
        (
            own.trigger.commit_sha.as_str(),
            own.trigger.git_ref.as_str()
        ),
        (COMMIT, "main")
    );
    assert_eq!(
        (
            own.trigger.head_repository.as_str(),
            own.trigger.secrets_withheld
        ),
        ("", false)
    );

    let forks = settled(grouped(), "/run", &head(88, NOON)).expect("runs");
    assert_eq!(
        forks.spec.concurrency_group.as_deref(),
        Some("fork:88:next main 9")
    );
    assert_eq!(forks.trigger.head_repository, "ann/shop");
    assert!(!forks.trigger.secrets_withheld, "somebody vouched for it");
    settled(grouped(), "/run", &head(0, NOON)).expect("its repository is gone, its commit is not");

    let refused = settled(grouped(), "/run", &head(88, AFTERNOON)).expect_err("may be newer");
    assert!(
        refused.contains(&format!("name the whole commit ({COMMIT})")),
        "{refused}"
    );
    let whole = [COMMIT.to_owned(), format!("{} now", COMMIT.to_uppercase())];
    for named in whole {
        settled(grouped(), &format!("/run {named}"), &head(88, AFTERNOON)).expect("it is named");
    }
    settled(grouped(), "/run ccccccc", &head(88, AFTERNOON)).expect_err("others may begin alike");
    settled(grouped(), "/run ccccccc", &head(88, NOON)).expect("it is the head of that moment");
    settled(grouped(), "/run", &head(88, "")).expect_err("nobody knows when it changed");
    let refused = settled(grouped(), "/run ddddddd", &head(88, NOON)).expect_err("another one");
    assert!(
        refused.contains("commit ddddddd, and the head is ccccccc now"),
        "{refused}"
    );
    // A word that only looks like a commit is an argument where nobody has to vouch for anything.
    settled(grouped(), "/run ddddddd", &head(1, NOON)).expect("ours");
}

#[test]
fn a_comment_that_gives_no_command_vouches_for_nothing() {
    let any = |forks: ForkPolicy| Trigger {
        forks,
        ..trigger("any", "issue_comment")
    };
    settled(any(ForkPolicy::Deny), "hello", &head(88, NOON)).expect_err("a fork");
    let run = settled(any(ForkPolicy::Allow), "hello", &head(88, NOON)).expect("runs");
    assert!(run.trigger.secrets_withheld);
    let run = settled(any(ForkPolicy::AllowWithSecrets), "hello", &head(88, NOON)).expect("runs");
    assert!(!run.trigger.secrets_withheld);
    settled(any(ForkPolicy::Deny), "hello", &head(1, NOON)).expect("ours");
}

#[test]
fn a_head_that_the_provider_does_not_state_runs_nothing() {
    let [trigger] = command();
    let payload = command_on_pull_request("/run");
    let decision = decision_with(&[trigger], "issue_comment", &payload, &managed());
    let Decision::Run(run) = decision else {
        panic!("{decision:?}");
    };
    let mut request = RunRequest::new(&repository(), *run);
    assert!(request.settle(None, &ChangedFiles::default()).is_err());
}

#[test]
fn forks_tags_and_branches_of_one_name_have_groups_of_their_own() {
    let group = |event: &str, payload: &Value, template: &str| {
        let spec = RunSpec {
            concurrency_group: Some(template.to_owned()),
            ..RunSpec::default()
        };
        let trigger = Trigger {
            spec: Ok(spec),
            forks: ForkPolicy::Allow,
            ..trigger("t", event)
        };
        run(&[trigger], event, payload)
            .spec
            .concurrency_group
            .expect("a group")
    };
    let main = push("refs/heads/main", &[]);
    let other_fork = json!({"id": 89, "full_name": "bob/shop"});
    for template in ["{ref}", "work on {ref}", "{branch}", "constant"] {
        let mut groups = vec![
            group("push", &main, template),
            group("pull_request", &pull_request(&fork()), template),
            group("pull_request", &pull_request(&other_fork), template),
            group("pull_request", &pull_request(&Value::Null), template),
        ];
        groups.sort();
        groups.dedup();
        assert_eq!(groups.len(), 4, "{groups:?}");
    }
    let own = pull_request(&json!({"id": 1}));
    assert_eq!(
        group("pull_request", &own, "{ref}"),
        group("push", &main, "{ref}")
    );
    let tag = group("push", &push("refs/tags/main", &[]), "{ref}");
    assert_eq!(tag, "tag:main");
    let release = json!({"sender": {"login": "mona"}, "release": {"tag_name": "main"}});
    assert_eq!(group("release", &release, "{ref}"), tag);
    let created =
        |kind: &str| json!({"sender": {"login": "mona"}, "ref": "main", "ref_type": kind});
    assert_eq!(group("create", &created("tag"), "{ref}"), tag);
    assert_eq!(group("create", &created("branch"), "{ref}"), "main");
}
