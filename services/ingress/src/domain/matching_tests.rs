//! Every rule of matching, with payloads cut down to what the rule reads.
use ck8s_types::RunSpec;
use serde_json::{Value, json};

use super::*;
use crate::domain::trigger::Patterns;

fn trigger(name: &str, event: &str) -> Trigger {
    Trigger {
        name: name.to_owned(),
        event: event.to_owned(),
        actions: Vec::new(),
        labels: Vec::new(),
        comment: String::new(),
        branches: Patterns::default(),
        paths: Patterns::default(),
        allow_bots: false,
        spec: Ok(RunSpec::default()),
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&t| t.to_owned()).collect()
}

fn branches(take: &[&str], leave: &[&str]) -> Patterns {
    Patterns::for_branches(texts(take), texts(leave), "main").expect("globs")
}

fn paths(take: &[&str], leave: &[&str]) -> Patterns {
    Patterns::for_paths(texts(take), texts(leave)).expect("globs")
}

fn decided(triggers: &[Trigger], event: &str, payload: &Value) -> Decision {
    let body = payload.to_string();
    let payload = Payload::read(body.as_bytes()).expect("a payload");
    decide(
        triggers,
        Happening {
            event,
            payload: &payload,
            repository: "acme/shop",
            asked_later: false,
        },
    )
}

#[track_caller]
fn run(triggers: &[Trigger], event: &str, payload: &Value) -> Wanted {
    match decided(triggers, event, payload) {
        Decision::Run(wanted) => *wanted,
        Decision::Ignored(reason) => panic!("ignored: {reason}"),
    }
}

#[track_caller]
fn ignored(triggers: &[Trigger], event: &str, payload: &Value) -> String {
    match decided(triggers, event, payload) {
        Decision::Ignored(reason) => reason,
        Decision::Run(wanted) => panic!("ran: {wanted:?}"),
    }
}

fn labeled(label: &str) -> Value {
    json!({"action": "labeled", "label": {"name": label}, "sender": {"login": "mona", "type": "User"},
        "issue": {"number": 7, "title": "It breaks", "html_url": "https://github.test/acme/shop/issues/7",
            "labels": [{"name": label}, {"name": "older"}], "user": {"login": "mona"}, "author_association": "OWNER"}})
}

#[test]
fn without_triggers_or_without_one_for_the_event() {
    assert_eq!(
        ignored(&[], "star", &json!({})),
        "the repository has no triggers"
    );
    assert_eq!(
        ignored(&[trigger("dev", "issues")], "star", &json!({})),
        "no trigger for event \"star\""
    );
}

#[test]
fn the_first_that_matches_wins() {
    let triggers = [
        trigger("other", "push"),
        trigger("a", "issues"),
        trigger("b", "issues"),
    ];
    assert_eq!(run(&triggers, "issues", &labeled("x")).trigger.name, "a");
}

#[test]
fn actions() {
    let dev = Trigger {
        actions: texts(&["opened", "labeled"]),
        ..trigger("dev", "issues")
    };
    assert_eq!(
        run(&[dev], "issues", &labeled("x")).trigger.action,
        "labeled"
    );
    let dev = Trigger {
        actions: texts(&["opened"]),
        ..trigger("dev", "issues")
    };
    assert_eq!(
        ignored(&[dev], "issues", &labeled("x")),
        "trigger \"dev\" wants action \"opened\", got \"labeled\""
    );
    let dev = Trigger {
        actions: texts(&["opened"]),
        ..trigger("dev", "push")
    };
    assert_eq!(
        ignored(&[dev], "push", &json!({})),
        "trigger \"dev\" wants action \"opened\", got none"
    );
}

#[test]
fn labels_mean_the_one_that_was_set() {
    let dev = || {
        [Trigger {
            labels: texts(&["run:dev", "run:all"]),
            ..trigger("dev", "issues")
        }]
    };
    let made = run(&dev(), "issues", &labeled("run:dev")).trigger;
    assert_eq!(
        (made.number, made.title.as_str(), made.actor.as_str()),
        (7, "It breaks", "mona")
    );
    assert_eq!(made.url, "https://github.test/acme/shop/issues/7");
    assert_eq!(
        ignored(&dev(), "issues", &labeled("bug")),
        "trigger \"dev\" wants label \"run:dev\" or \"run:all\", got \"bug\""
    );
    // The issue has the label already; another one was set.
    let mut other = labeled("bug");
    other["issue"]["labels"] = json!([{"name": "run:dev"}, {"name": "bug"}]);
    ignored(&dev(), "issues", &other);
}

#[test]
fn labels_of_the_issue_count_where_none_was_set() {
    let dev = || {
        [Trigger {
            labels: texts(&["run:dev"]),
            ..trigger("dev", "issues")
        }]
    };
    let mut edited = labeled("run:dev");
    edited["action"] = json!("edited");
    edited.as_object_mut().expect("object").remove("label");
    run(&dev(), "issues", &edited);
    edited["issue"]["labels"] = json!([]);
    assert_eq!(
        ignored(&dev(), "issues", &edited),
        "trigger \"dev\" wants label \"run:dev\", got none"
    );
}

#[test]
fn a_label_that_was_taken_away_does_not_trigger_unless_asked() {
    let mut gone = labeled("run:dev");
    gone["action"] = json!("unlabeled");
    let dev = Trigger {
        labels: texts(&["run:dev"]),
        ..trigger("dev", "issues")
    };
    ignored(&[dev], "issues", &gone);
    let dev = Trigger {
        labels: texts(&["run:dev"]),
        actions: texts(&["unlabeled"]),
        ..trigger("dev", "issues")
    };
    run(&[dev], "issues", &gone);
}

fn comment(body: &str, association: &str) -> Value {
    json!({"action": "created", "sender": {"login": "mona", "type": "User"}, "issue": {"number": 3, "title": "T"},
        "comment": {"body": body, "author_association": association, "html_url": "https://github.test/c/1"}})
}

fn command() -> [Trigger; 1] {
    [Trigger {
        comment: "/run".to_owned(),
        ..trigger("command", "issue_comment")
    }]
}

#[test]
fn comment_commands_and_their_arguments() {
    for (body, arguments) in [
        ("/run", ""),
        ("/run all tests", "all tests"),
        (" \n/run\tall\r\nthe tests\n", "all\r\nthe tests"),
        ("/run \u{0000}x", "\u{fffd}x"),
    ] {
        let made = run(&command(), "issue_comment", &comment(body, "OWNER")).trigger;
        assert_eq!(made.arguments, arguments, "{body:?}");
        assert_eq!(made.url, "https://github.test/c/1");
    }
    for body in ["", "run", "/runner", "please /run", "`/run`"] {
        assert_eq!(
            ignored(&command(), "issue_comment", &comment(body, "OWNER")),
            "trigger \"command\" wants a comment that starts with \"/run\""
        );
    }
    let long = format!("/run {}", "é".repeat(100_000));
    assert_eq!(
        run(&command(), "issue_comment", &comment(&long, "OWNER"))
            .trigger
            .arguments
            .chars()
            .count(),
        8_192
    );
}

#[test]
fn commands_are_given_once() {
    for action in ["edited", "deleted"] {
        let mut again = comment("/run", "OWNER");
        again["action"] = json!(action);
        assert_eq!(
            ignored(&command(), "issue_comment", &again),
            format!("trigger \"command\" wants action \"created\", got \"{action}\"")
        );
        let asked = Trigger {
            actions: texts(&[action]),
            comment: "/run".to_owned(),
            ..trigger("c", "issue_comment")
        };
        run(&[asked], "issue_comment", &again);
    }
}

#[test]
fn commands_need_write_access() {
    for association in ["OWNER", "MEMBER", "COLLABORATOR"] {
        run(&command(), "issue_comment", &comment("/run", association));
    }
    for association in [
        "NONE",
        "CONTRIBUTOR",
        "FIRST_TIMER",
        "FIRST_TIME_CONTRIBUTOR",
        "MANNEQUIN",
        "owner",
    ] {
        assert_eq!(
            ignored(&command(), "issue_comment", &comment("/run", association)),
            format!("trigger \"command\" needs write access: \"mona\" is \"{association}\"")
        );
    }
    assert!(
        ignored(&command(), "issue_comment", &comment("/run", "")).ends_with("\"mona\" is none")
    );
}

#[test]
fn what_a_stranger_does_to_his_own_issue_does_not_trigger() {
    let mut stranger = labeled("run:dev");
    stranger["issue"]["author_association"] = json!("NONE");
    let dev = || [trigger("dev", "issues")];
    assert_eq!(
        ignored(&dev(), "issues", &stranger),
        "trigger \"dev\" needs write access: \"mona\" is \"NONE\""
    );
    // Somebody else set the label: that takes write access at GitHub.
    stranger["sender"]["login"] = json!("owner");
    run(&dev(), "issues", &stranger);
}

#[test]
fn bots_are_refused_unless_allowed() {
    let mut bot = labeled("x");
    bot["sender"] = json!({"login": "dependabot[bot]", "type": "User"});
    assert_eq!(
        ignored(&[trigger("dev", "issues")], "issues", &bot),
        "trigger \"dev\" does not allow bots, and \"dependabot[bot]\" is one"
    );
    bot["sender"] = json!({"login": "machine", "type": "Bot"});
    ignored(&[trigger("dev", "issues")], "issues", &bot);
    run(
        &[Trigger {
            allow_bots: true,
            ..trigger("dev", "issues")
        }],
        "issues",
        &bot,
    );
}

fn push(git_ref: &str, files: &[&str]) -> Value {
    json!({"ref": git_ref, "after": "abc", "deleted": false, "sender": {"login": "mona"}, "compare": "https://github.test/cmp",
        "head_commit": {"id": "def", "message": "Fix it\n\nWell", "url": "https://github.test/def"},
        "commits": [{"added": [], "modified": files, "removed": []}]})
}

#[test]
fn branches_of_a_push() {
    let on = |take: &[&str], leave: &[&str]| {
        [Trigger {
            branches: branches(take, leave),
            ..trigger("push", "push")
        }]
    };
    let made = run(
        &on(&["$default"], &[]),
        "push",
        &push("refs/heads/main", &[]),
    )
    .trigger;
    assert_eq!(made.git_ref, "main");
    assert_eq!(
        (
            made.title.as_str(),
            made.commit_sha.as_str(),
            made.url.as_str()
        ),
        ("Fix it", "def", "https://github.test/def")
    );
    assert_eq!(
        ignored(
            &on(&["$default"], &[]),
            "push",
            &push("refs/heads/topic", &[])
        ),
        "trigger \"push\" wants branch \"$default\", got \"topic\""
    );
    run(
        &on(&["release/**"], &["release/old/**"]),
        "push",
        &push("refs/heads/release/1/2", &[]),
    );
    ignored(
        &on(&["release/**"], &["release/old/**"]),
        "push",
        &push("refs/heads/release/old/2", &[]),
    );
    ignored(
        &on(&["release/*"], &[]),
        "push",
        &push("refs/heads/release/1/2", &[]),
    );
    run(
        &on(&[], &["$default"]),
        "push",
        &push("refs/heads/topic", &[]),
    );
    ignored(
        &on(&[], &["$default"]),
        "push",
        &push("refs/heads/main", &[]),
    );
    assert_eq!(
        ignored(&on(&["**"], &[]), "push", &push("refs/tags/v1", &[])),
        "trigger \"push\" wants branch \"**\", the delivery has none"
    );
    assert_eq!(
        run(
            &[trigger("push", "push")],
            "push",
            &push("refs/tags/v1", &[])
        )
        .trigger
        .git_ref,
        "v1"
    );
}

#[test]
fn a_push_that_deletes_has_nothing_to_run_on() {
    let mut gone = push("refs/heads/main", &[]);
    gone["deleted"] = json!(true);
    gone["head_commit"] = Value::Null;
    assert_eq!(
        ignored(&[trigger("push", "push")], "push", &gone),
        "trigger \"push\" has nothing to run on: \"refs/heads/main\" was deleted"
    );
}

#[test]
fn branches_of_a_pull_request_are_where_it_goes_to() {
    let pull = |base: &str| {
        json!({"action": "opened", "number": 9, "sender": {"login": "mona"},
            "pull_request": {"number": 9, "title": "P", "base": {"ref": base}, "head": {"ref": "topic", "sha": "fff"}}})
    };
    let on = || {
        [Trigger {
            branches: branches(&["$default"], &[]),
            ..trigger("pr", "pull_request")
        }]
    };
    let made = run(&on(), "pull_request", &pull("main")).trigger;
    assert_eq!(
        (made.git_ref.as_str(), made.commit_sha.as_str(), made.number),
        ("topic", "fff", 9)
    );
    ignored(&on(), "pull_request", &pull("next"));
}

#[test]
fn paths_of_a_push() {
    let on = |take: &[&str], leave: &[&str]| {
        [Trigger {
            paths: paths(take, leave),
            ..trigger("push", "push")
        }]
    };
    let main = "refs/heads/main";
    run(
        &on(&["src/**"], &[]),
        "push",
        &push(main, &["README.md", "src/a/b.rs"]),
    );
    run(
        &on(&["src/**"], &["**/*.md"]),
        "push",
        &push(main, &["src/a.md", "src/a.rs"]),
    );
    run(
        &on(&[], &["**/*.md"]),
        "push",
        &push(main, &["a.md", "a.rs"]),
    );
    ignored(
        &on(&[], &["**/*.md"]),
        "push",
        &push(main, &["a.md", "b/c.md"]),
    );
    assert_eq!(
        ignored(
            &on(&["src/**"], &["**/*.md"]),
            "push",
            &push(main, &["docs/a.rs", "src/a.md"])
        ),
        "trigger \"push\" wants a changed file in \"src/**\" or \"!**/*.md\", none of 2 fits"
    );
    ignored(&on(&["**"], &[]), "push", &push(main, &[]));
    let mut removed = push(main, &[]);
    removed["commits"] = json!([null, {"removed": ["src/x"]}]);
    run(&on(&["src/*"], &[]), "push", &removed);
}

#[test]
fn the_closest_miss_is_told() {
    let triggers = [
        trigger("other", "push"),
        Trigger {
            actions: texts(&["opened"]),
            ..trigger("first", "issues")
        },
        Trigger {
            labels: texts(&["run:dev"]),
            ..trigger("second", "issues")
        },
        Trigger {
            actions: texts(&["closed"]),
            ..trigger("third", "issues")
        },
    ];
    assert_eq!(
        ignored(&triggers, "issues", &labeled("bug")),
        "trigger \"second\" wants label \"run:dev\", got \"bug\""
    );
}

#[test]
fn reasons_stay_short_and_clean() {
    let dev = Trigger {
        labels: texts(&["run:dev"]),
        ..trigger("dev", "issues")
    };
    let reason = ignored(
        &[dev],
        "issues",
        &labeled(&format!("\0{}", "é".repeat(2_000))),
    );
    assert!(reason.chars().count() <= 500 && !reason.contains('\0'));
}

#[test]
fn groups_are_filled_in_one_pass() {
    let grouped = |group: &str, event: &str| {
        let spec = RunSpec {
            concurrency_group: Some(group.to_owned()),
            ..RunSpec::default()
        };
        [Trigger {
            spec: Ok(spec),
            ..trigger("t", event)
        }]
    };
    let group = |of: &str, event: &str, payload: &Value| {
        run(&grouped(of, event), event, payload)
            .spec
            .concurrency_group
    };
    assert_eq!(
        group("{repository}#{number}", "issues", &labeled("x")).as_deref(),
        Some("acme/shop#7")
    );
    assert_eq!(
        group(
            "{event}:{branch}:{ref}{number} {other} {",
            "push",
            &push("refs/heads/{number}", &[])
        )
        .as_deref(),
        Some("push:{number}:{number} {other} {")
    );
    let long = |last: &str| push(&format!("refs/heads/{}{last}", "é".repeat(150)), &[]);
    let (one, other) = (
        group("g-{branch}", "push", &long("a")),
        group("g-{branch}", "push", &long("b")),
    );
    assert_ne!(one, other);
    assert!(one.is_some_and(|g| g.len() <= 200));
}

#[test]
fn a_trigger_that_cannot_run_says_why() {
    let broken = Trigger {
        spec: Err("spec.priority: must be -100 to 100".to_owned()),
        ..trigger("dev", "issues")
    };
    assert_eq!(
        ignored(&[broken], "issues", &labeled("x")),
        "trigger \"dev\" cannot run: spec.priority: must be -100 to 100"
    );
}
