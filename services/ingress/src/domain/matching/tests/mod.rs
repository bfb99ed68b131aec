//! Every rule of matching, with payloads cut down to what the rule reads.
mod changed_files;
mod comments;
mod events;
mod forks;
mod labels;
mod pushes;
mod senders;
mod skip_markers;

use ck8s_types::RunSpec;
use serde_json::{Value, json};

use super::*;
use crate::domain::{
    event::{Actor, WriteAccessSource},
    forks::ForkPolicy,
    payload::Payload,
    trigger::{AllowedBots, GlobFilter},
};

fn trigger(name: &str, event: &str) -> Trigger {
    Trigger {
        name: name.to_owned(),
        event: event.to_owned(),
        actions: Vec::new(),
        labels: Vec::new(),
        comment: String::new(),
        branches: GlobFilter::default(),
        tags: GlobFilter::default(),
        paths: GlobFilter::default(),
        honours_skip_markers: true,
        bots: AllowedBots::default(),
        forks: ForkPolicy::default(),
        stop: false,
        schedule: None,
        spec: Ok(RunSpec::default()),
    }
}

/// What an event leads to, as far as the first trigger is concerned that matches.
#[derive(Debug)]
enum Decision {
    /// A run.
    Run(Box<TriggeredRun>),
    /// No run, for this reason.
    Ignored(String),
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&t| t.to_owned()).collect()
}

fn decision(triggers: &[Trigger], event: &str, payload: &Value) -> Decision {
    decision_with(triggers, event, payload, &WriteAccessSource::Payload)
}

fn decision_with(
    triggers: &[Trigger],
    event: &str,
    payload: &Value,
    write_access: &WriteAccessSource,
) -> Decision {
    let body = payload.to_string();
    let payload = Payload::parse(body.as_bytes()).expect("a payload");
    let event = WebhookEvent {
        name: event,
        payload: &payload,
        repository: "acme/shop",
        write_access,
    };
    let (runs, reason) = decide(triggers, event, Box::new);
    let first = runs.into_iter().next();
    first.map_or(Decision::Ignored(reason), Decision::Run)
}

#[track_caller]
fn run(triggers: &[Trigger], event: &str, payload: &Value) -> TriggeredRun {
    match decision(triggers, event, payload) {
        Decision::Run(run) => *run,
        Decision::Ignored(reason) => panic!("ignored: {reason}"),
    }
}

#[track_caller]
fn ignored(triggers: &[Trigger], event: &str, payload: &Value) -> String {
    match decision(triggers, event, payload) {
        Decision::Ignored(reason) => reason,
        Decision::Run(run) => panic!("ran: {run:?}"),
    }
}

fn labeled(label: &str) -> Value {
    json!({"action": "labeled", "label": {"name": label}, "sender": {"login": "mona", "type": "User"},
        "issue": {"number": 7, "title": "It breaks", "html_url": "https://github.test/acme/shop/issues/7",
            "labels": [{"name": label}, {"name": "older"}], "user": {"login": "mona"}, "author_association": "OWNER"}})
}

fn comment(body: &str, association: &str) -> Value {
    json!({"action": "created", "sender": {"login": "mona", "type": "User"}, "issue": {"number": 3, "title": "T"},
        "comment": {"body": body, "author_association": association, "user": {"login": "mona"},
            "html_url": "https://github.test/c/1"}})
}

fn command() -> [Trigger; 1] {
    [Trigger {
        comment: "/run".to_owned(),
        ..trigger("command", "issue_comment")
    }]
}

fn push(git_ref: &str, files: &[&str]) -> Value {
    json!({"ref": git_ref, "after": "abc", "deleted": false, "sender": {"login": "mona"}, "compare": "https://github.test/cmp",
        "head_commit": {"id": "def", "message": "Fix it\n\nWell", "url": "https://github.test/def"},
        "commits": [{"added": [], "modified": files, "removed": []}]})
}

#[test]
fn an_event_without_a_trigger_is_ignored() {
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
fn every_matching_trigger_makes_a_run_up_to_one_that_stops() {
    let cannot_run = |name| Trigger {
        spec: Err("no image".to_owned()),
        ..trigger(name, "issues")
    };
    let stops = |trigger| Trigger {
        stop: true,
        ..trigger
    };
    let of = |triggers: &[Trigger]| {
        let body = labeled("x").to_string();
        let payload = Payload::parse(body.as_bytes()).expect("a payload");
        let event = WebhookEvent {
            name: "issues",
            payload: &payload,
            repository: "acme/shop",
            write_access: &WriteAccessSource::Payload,
        };
        let (names, reason) = decide(triggers, event, |run| run.trigger.name);
        (names.join(" "), reason)
    };
    let others = || [trigger("c", "issues"), trigger("other", "push")];
    let all = [stops(trigger("other", "push")), trigger("a", "issues")];
    let all: Vec<Trigger> = all.into_iter().chain(others()).collect();
    assert_eq!(of(&all), ("a c".to_owned(), String::new()));
    let stopped = [trigger("a", "issues"), stops(trigger("b", "issues"))];
    let stopped: Vec<Trigger> = stopped.into_iter().chain(others()).collect();
    assert_eq!(of(&stopped), ("a b".to_owned(), String::new()));

    let fault = "trigger \"x\" cannot run: no image";
    let some = [cannot_run("x"), trigger("a", "issues")];
    assert_eq!(of(&some), ("a".to_owned(), fault.to_owned()));
    let none = [stops(cannot_run("x")), trigger("a", "issues")];
    assert_eq!(of(&none), (String::new(), fault.to_owned()));
}

#[test]
fn a_trigger_matches_only_its_actions() {
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
fn the_reason_names_the_trigger_that_came_closest() {
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
fn a_reason_is_short_and_has_no_nul() {
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
fn a_concurrency_group_is_filled_in_one_pass() {
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
