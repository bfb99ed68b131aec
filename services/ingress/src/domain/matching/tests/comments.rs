//! Commands in comments.
use super::*;

#[test]
fn a_command_is_the_first_word_of_a_comment_and_the_rest_are_its_arguments() {
    for (body, arguments) in [
        ("/run", ""),
        ("/run all tests", "all tests"),
        (" \n/run\tall\r\nthe tests\n", "all\r\nthe tests"),
        ("/run \u{0000}x", "x"),
        ("/Run all", "all"),
        ("/RUN", ""),
        ("   /run blanks", "blanks"),
        ("\t\n /run", ""),
    ] {
        let triggered = run(&command(), "issue_comment", &comment(body, "OWNER")).trigger;
        assert_eq!(triggered.arguments, arguments, "{body:?}");
        assert_eq!(triggered.url, "https://github.test/c/1");
    }
    let none = [
        "",
        "run",
        "/runner",
        "please /run",
        "`/run`",
        "> /run",
        "    /run\n\nis what you type",
        "\t/run",
        "text\n\n    /run",
        "\n\n  \t/run",
        "```\n/run\n```",
        "~~~\n/run\n~~~",
    ];
    for body in none {
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
fn editing_or_deleting_a_comment_does_not_repeat_its_command() {
    for action in ["edited", "deleted"] {
        let mut again = comment("/run", "OWNER");
        again["action"] = json!(action);
        assert_eq!(
            ignored(&command(), "issue_comment", &again),
            format!("trigger \"command\" wants action \"created\", got \"{action}\"")
        );
        let explicit = Trigger {
            actions: texts(&[action]),
            comment: "/run".to_owned(),
            ..trigger("c", "issue_comment")
        };
        run(&[explicit], "issue_comment", &again);
    }
}
