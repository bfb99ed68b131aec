//! services.yaml: what is accepted is within its bounds, and means the same when it is written down again.
use std::collections::BTreeMap;

use ck8s_proto::{
    repositories::v1::{ForkPolicy, Services, Trigger},
    runs::v1::RunSpec,
};
use ck8s_repositories::read_services;
use serde_json::{Map, Value, json};

/// The bounds that docs/services-yaml.md declares.
const MAX_TRIGGERS: usize = 100;
const MAX_LIST_ENTRIES: usize = 100;
const MAX_WARNINGS: usize = 50;
const MAX_TIMEOUT_SECONDS: i64 = 7 * 86_400;
/// The text that the file is written down as may be larger than what a file may hold.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Reads a text as a services.yaml.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match read_services(text) {
        Err(invalid) => {
            assert_eq!(invalid.field, "services_text");
            assert!(
                !invalid.problem.is_empty() && invalid.problem.len() < 4_096,
                "{}",
                invalid.problem
            );
        }
        Ok(services) => {
            check(&services);
            let printed = print(&services).to_string();
            if printed.len() <= MAX_TEXT_BYTES {
                let again = read_services(&printed).map(|again| again.triggers);
                assert_eq!(again.as_ref(), Ok(&services.triggers), "{printed}");
            }
        }
    }
}

fn check(services: &Services) {
    assert!(services.triggers.len() <= MAX_TRIGGERS);
    assert!(services.warnings.len() <= MAX_WARNINGS);
    for trigger in &services.triggers {
        assert!((1..=100).contains(&trigger.name.len()));
        for list in [&trigger.actions, &trigger.labels] {
            assert!(list.len() <= MAX_LIST_ENTRIES);
        }
        assert!(trigger.branches.len() + trigger.branches_ignore.len() <= MAX_LIST_ENTRIES);
        assert!(trigger.paths.len() + trigger.paths_ignore.len() <= MAX_LIST_ENTRIES);
        let spec = trigger.spec.as_ref().expect("a spec");
        assert!(!spec.image.is_empty() || !spec.command.is_empty());
        assert!((-100..=100).contains(&spec.priority) && (1..=10).contains(&spec.max_attempts));
        for seconds in timeouts(spec).values() {
            assert!((1..=MAX_TIMEOUT_SECONDS).contains(seconds));
        }
        for host in &spec.egress {
            let is_plain = |text: &str| !text.contains(['+', ' ', '\t']);
            assert!(is_plain(host), "{host}");
        }
    }
}

fn timeouts(spec: &RunSpec) -> BTreeMap<&'static str, i64> {
    BTreeMap::from([
        ("unscheduled", spec.unscheduled_timeout_seconds),
        ("pending", spec.pending_timeout_seconds),
        ("running", spec.running_timeout_seconds),
    ])
}

/// Returns the file as JSON, which is YAML.
fn print(services: &Services) -> Value {
    let triggers: Vec<Value> = services.triggers.iter().map(trigger).collect();
    json!({ "version": 1, "triggers": triggers })
}

fn trigger(trigger: &Trigger) -> Value {
    let patterns = |take: &[String], ignore: &[String]| {
        let ignore = ignore.iter().map(|pattern| format!("!{pattern}"));
        json!(take.iter().cloned().chain(ignore).collect::<Vec<_>>())
    };
    let on = json!({
        "event": trigger.event,
        "actions": trigger.actions,
        "labels": trigger.labels,
        "comment": trigger.comment,
        "branches": patterns(&trigger.branches, &trigger.branches_ignore),
        "tags": patterns(&trigger.tags, &trigger.tags_ignore),
        "skip_markers": !trigger.ignores_skip_markers,
        "paths": patterns(&trigger.paths, &trigger.paths_ignore),
        "allow_bots": if trigger.allow_bots {
            json!(true)
        } else {
            json!(trigger.allowed_bots)
        },
        "forks": match trigger.forks() {
            ForkPolicy::Unspecified | ForkPolicy::Deny => "deny",
            ForkPolicy::Allow => "allow",
            ForkPolicy::AllowWithSecrets => "allow_with_secrets",
        },
    });
    let spec = trigger.spec.as_ref().expect("a spec");
    json!({ "name": trigger.name, "on": without_empty(on), "run": run_of(spec) })
}

fn run_of(spec: &RunSpec) -> Value {
    let seconds = timeouts(spec);
    let timeouts: Map<String, Value> = seconds
        .into_iter()
        .map(|(name, seconds)| (name.to_owned(), json!(format!("{seconds}s"))))
        .collect();
    let mut concurrency = json!({ "group": spec.concurrency_group });
    if spec.cancel_in_progress {
        concurrency["cancel_in_progress"] = json!(true);
    }
    without_empty(json!({
        "image": spec.image,
        "command": spec.command,
        "env": spec.env,
        "secrets": spec.secrets,
        "resources": without_empty(json!({ "cpu": spec.cpu, "memory": spec.memory })),
        "timeouts": timeouts,
        "concurrency": without_empty(concurrency),
        "priority": spec.priority,
        "labels": spec.labels,
        "egress": spec.egress,
        "max_attempts": spec.max_attempts,
    }))
}

/// Returns an object without its empty texts, lists and objects: the file leaves out what it does not say.
fn without_empty(mut object: Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| !is_empty(value));
    }
    object
}
