//! Labels: the one that was set or removed, and those that an issue has.
use super::*;

#[test]
fn the_label_that_was_set_decides() {
    let dev = || {
        [Trigger {
            labels: texts(&["run:dev", "run:all"]),
            ..trigger("dev", "issues")
        }]
    };
    let triggered = run(&dev(), "issues", &labeled("run:dev")).trigger;
    assert_eq!(
        (
            triggered.number,
            triggered.title.as_str(),
            triggered.actor.as_str()
        ),
        (7, "It breaks", "mona")
    );
    assert_eq!(triggered.url, "https://github.test/acme/shop/issues/7");
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
fn the_labels_of_the_issue_decide_when_none_was_set() {
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
fn a_removed_label_triggers_only_when_the_trigger_names_the_action() {
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

#[test]
fn a_label_that_no_longer_exists_triggers_nothing() {
    let mut gone = labeled("run:dev");
    gone["action"] = json!("unlabeled");
    gone.as_object_mut().expect("object").remove("label");
    let dev = Trigger {
        labels: texts(&["run:dev"]),
        ..trigger("dev", "issues")
    };
    ignored(&[dev], "issues", &gone);
}

#[test]
fn labels_match_in_upper_and_lower_case() {
    let dev = || {
        [Trigger {
            labels: texts(&["Run:Öl"]),
            ..trigger("dev", "issues")
        }]
    };
    for label in ["Run:Öl", "run:öl", "RUN:ÖL"] {
        run(&dev(), "issues", &labeled(label));
    }
    ignored(&dev(), "issues", &labeled("run:ol"));
}
