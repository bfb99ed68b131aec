//! Commits that ask for no run.
use super::*;

fn push_of(message: &str) -> Value {
    let mut payload = push("refs/heads/main", &[]);
    payload["head_commit"]["message"] = json!(message);
    payload
}

#[test]
fn a_push_whose_head_commit_asks_for_no_run_gets_none() {
    let triggers = [trigger("build", "push")];
    assert_eq!(
        ignored(&triggers, "push", &push_of("docs: typo [skip ci]")),
        "trigger \"build\" skips commits that ask for it, and the message says \"[skip ci]\": push another commit, or let \
         the trigger say `skip_markers: false`"
    );
    ignored(&triggers, "push", &push_of("Fix\n\nskip-checks: true"));
    run(&triggers, "push", &push_of("skip ci"));
    // Only the head commit counts.
    let mut earlier = push_of("Work");
    earlier["commits"][0]["message"] = json!("[skip ci]");
    run(&triggers, "push", &earlier);
}

#[test]
fn a_trigger_may_run_all_the_same_and_other_events_have_no_markers() {
    let deaf = [Trigger {
        honours_skip_markers: false,
        ..trigger("build", "push")
    }];
    run(&deaf, "push", &push_of("[skip ci]"));
    let mut payload = labeled("x");
    payload["head_commit"] = json!({"message": "[skip ci]"});
    run(&[trigger("dev", "issues")], "issues", &payload);
}
