//! What can never match, or not as it was meant.
use super::*;

/// Returns the warnings about a trigger with this event and this other line, which is line 6.
fn warnings(event: &str, line: &str) -> Vec<String> {
    let text = format!(
        "version: 1\ntriggers:\n  - name: a\n    run: {{command: x}}\n    on:\n      {line}\n      event: {event}\n"
    );
    parse(&text)
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
        .warnings
}

#[test]
fn a_file_without_doubts_has_no_warnings() {
    assert_eq!(parse(&documented()).expect("reads").warnings, [""; 0]);
    for (event, line) in [
        (
            "push",
            "paths: [src/**, '!**/*.md', a.b, '*', '**', 'x/**/y', '{a,b}/*']",
        ),
        ("push", "branches: [$default, 'release/**', main, '*']"),
        ("push", "tags: [v*]"),
        ("push", "skip_markers: false"),
        ("pull_request", "labels: [a]"),
        ("pull_request", "branches: main"),
        ("pull_request", "paths: a"),
        ("pull_request", "actions: [opened, synchronize]"),
        ("pull_request_review", "comment: /run"),
        ("merge_group", "actions: checks_requested"),
        ("issues", "actions: [field_added, opened]"),
        ("release", "tags: v*"),
    ] {
        assert_eq!(warnings(event, line), [""; 0], "{event} {line}");
    }
}

#[test]
fn an_event_that_github_does_not_send_is_doubted_with_the_one_that_is_meant() {
    assert_eq!(
        warnings("pushs", "forks: deny"),
        [
            "line 7: triggers[0].on.event: GitHub is not known to send the event \"pushs\", so the trigger never matches; did \
          you mean push?"
        ]
    );
    for (event, meant) in [
        ("issue", "issues"),
        ("pull_requests", "pull_request"),
        ("releases", "release"),
    ] {
        let text = warnings(event, "forks: deny").concat();
        assert!(text.ends_with(&format!("did you mean {meant}?")), "{text}");
    }
    let text = warnings("something_else", "paths: a").concat();
    assert!(text.ends_with("so the trigger never matches"), "{text}");
}

#[test]
fn a_key_that_the_event_cannot_match_is_doubted() {
    for (event, line, says) in [
        (
            "issues",
            "paths: src/**",
            "an event \"issues\" has no files, so the trigger never matches; only these have: issue_comment",
        ),
        ("push", "labels: bug", "an event \"push\" has no label"),
        (
            "issues",
            "comment: /run",
            "an event \"issues\" has no comment",
        ),
        (
            "issue_comment",
            "branches: main",
            "an event \"issue_comment\" has no branch",
        ),
        (
            "pull_request",
            "tags: v*",
            "an event \"pull_request\" has no tag",
        ),
        ("push", "actions: opened", "an event \"push\" has no action"),
        ("issues", "skip_markers: false", "so this changes nothing"),
        (
            "issues",
            "actions: [opened, lableed]",
            "actions[1]: GitHub is not known to use the action \"lableed\"; did you mean labeled?",
        ),
        ("pull_request", "actions: open", "did you mean opened?"),
    ] {
        let found = warnings(event, line);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("line 6: triggers[0].on."), "{found:?}");
        assert!(found[0].contains(says), "{found:?}");
    }
}

#[test]
fn a_glob_that_matches_nothing_is_doubted_with_the_one_that_is_meant() {
    for (glob, meant) in [
        ("src/", "\"src/**\""),
        ("./src/**", "write \"src/**\""),
        ("/src/**", "write \"src/**\""),
        ("src//a", "write \"src/a\""),
        ("../a", "write \"a\""),
        ("**.md", "write \"**/*.md\""),
        ("docs/**.md", "write \"docs/**/*.md\""),
        ("src**", "write \"src*/**\""),
        ("!src/", "\"src/**\""),
    ] {
        let found = warnings("push", &format!("paths: [ok.rs, '{glob}']"));
        assert_eq!(found.len(), 1, "{glob}: {found:?}");
        assert!(
            found[0].starts_with("line 6: triggers[0].on.paths[1]: "),
            "{found:?}"
        );
        assert!(found[0].contains(meant), "{found:?}");
    }
    for (line, meant) in [
        ("branches: refs/heads/main", "write \"main\""),
        ("tags: refs/tags/v*", "write \"v*\""),
        ("branches: $Default", "only $default is one"),
        ("tags: $default", "among branches"),
        ("branches: release/", "begins or ends with a slash"),
        ("branches: release**", "write \"release*/**\""),
    ] {
        let found = warnings("push", line);
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(found[0].contains(meant), "{found:?}");
    }
}

#[test]
fn warnings_are_bounded() {
    let globs = vec!["src/"; 100].join(", ");
    assert_eq!(warnings("push", &format!("paths: [{globs}]")).len(), 50);
}
