//! Branches and paths of pushes and pull requests.
use super::*;

fn branches(include: &[&str], exclude: &[&str]) -> GlobFilter {
    GlobFilter::for_branches(texts(include), texts(exclude), "main").expect("globs")
}

/// As in GitHub's own workflows: of a push, branches alone are for no tag, and tags alone for no branch.
#[test]
fn a_push_matches_by_its_tag() {
    let on = |tags: &[&str], branches: &[&str]| {
        let (ignore, take): (Vec<&str>, Vec<&str>) = tags.iter().partition(|t| t.starts_with('!'));
        let ignore = ignore.iter().map(|tag| tag[1..].to_owned()).collect();
        [Trigger {
            tags: GlobFilter::new(texts(&take), ignore).expect("globs"),
            branches: GlobFilter::for_branches(texts(branches), Vec::new(), "main").expect("globs"),
            ..trigger("tag", "push")
        }]
    };
    let (tag, branch) = (push("refs/tags/v1.2", &[]), push("refs/heads/main", &[]));
    for (tags, branches, with_tag, with_branch) in [
        (&["v*"][..], &[][..], true, false),
        (&["w*"], &[], false, false),
        (&["v*", "!v1*"], &[], false, false),
        (&["!w*"], &[], true, false),
        (&[], &["main"], false, true),
        (&["v*"], &["main"], true, true),
        (&["w*"], &["next"], false, false),
        (&[], &[], true, true),
    ] {
        let triggers = on(tags, branches);
        let is_run = |payload| matches!(decision(&triggers, "push", payload), Decision::Run(_));
        assert_eq!(is_run(&tag), with_tag, "{tags:?} {branches:?}");
        assert_eq!(is_run(&branch), with_branch, "{tags:?} {branches:?}");
    }
    assert_eq!(
        ignored(&on(&["v*"], &["next"]), "push", &branch),
        "trigger \"tag\" wants branch \"next\", or tag \"v*\", got \"main\""
    );
    assert_eq!(
        ignored(&on(&["v*"], &[]), "push", &branch),
        "trigger \"tag\" wants tag \"v*\", got branch \"main\""
    );
}

fn paths(include: &[&str], exclude: &[&str]) -> GlobFilter {
    GlobFilter::new(texts(include), texts(exclude)).expect("globs")
}

#[test]
fn a_push_matches_by_its_branch() {
    let on = |include: &[&str], exclude: &[&str]| {
        [Trigger {
            branches: branches(include, exclude),
            ..trigger("push", "push")
        }]
    };
    let triggered = run(
        &on(&["$default"], &[]),
        "push",
        &push("refs/heads/main", &[]),
    )
    .trigger;
    assert_eq!(triggered.git_ref, "main");
    assert_eq!(
        (
            triggered.title.as_str(),
            triggered.commit_sha.as_str(),
            triggered.url.as_str()
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
    // The payload says what the default branch is now.
    let mut renamed = push("refs/heads/trunk", &[]);
    renamed["repository"] = json!({"default_branch": "trunk"});
    run(&on(&["$default"], &[]), "push", &renamed);
    ignored(&on(&[], &["$default"]), "push", &renamed);
    renamed["ref"] = json!("refs/heads/main");
    ignored(&on(&["$default"], &[]), "push", &renamed);
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
fn a_push_that_deletes_a_branch_is_ignored() {
    let mut gone = push("refs/heads/main", &[]);
    gone["deleted"] = json!(true);
    gone["head_commit"] = Value::Null;
    assert_eq!(
        ignored(&[trigger("push", "push")], "push", &gone),
        "trigger \"push\" has nothing to run on: \"refs/heads/main\" was deleted"
    );
}

#[test]
fn a_pull_request_matches_by_its_base_branch() {
    let pull = |base: &str| {
        json!({"action": "opened", "number": 9, "sender": {"login": "mona"},
            "pull_request": {"number": 9, "title": "P", "user": {"login": "mona"}, "author_association": "MEMBER",
                "base": {"ref": base}, "head": {"ref": "topic", "sha": "fff"}}})
    };
    let on = || {
        [Trigger {
            branches: branches(&["$default"], &[]),
            ..trigger("pr", "pull_request")
        }]
    };
    let triggered = run(&on(), "pull_request", &pull("main")).trigger;
    assert_eq!(
        (
            triggered.git_ref.as_str(),
            triggered.commit_sha.as_str(),
            triggered.number
        ),
        ("topic", "fff", 9)
    );
    ignored(&on(), "pull_request", &pull("next"));
}

#[test]
fn a_push_matches_by_its_changed_files() {
    let on = |include: &[&str], exclude: &[&str]| {
        [Trigger {
            paths: paths(include, exclude),
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
