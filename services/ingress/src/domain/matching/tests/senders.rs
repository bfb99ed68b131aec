//! Who may trigger: writers, authors of issues, bots.
use super::*;

#[test]
fn a_command_needs_write_access() {
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
fn a_stranger_cannot_trigger_through_an_issue_of_their_own() {
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
fn bots_trigger_only_where_they_are_allowed() {
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
