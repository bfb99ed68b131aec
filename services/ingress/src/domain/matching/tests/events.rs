//! What a run is told of its event: number, branch or tag, commit, title and page.
use super::*;

/// Returns number, ref, commit, title and page.
fn told(event: &str, payload: &Value) -> (i64, String, String, String, String) {
    let triggers = [Trigger {
        comment: if event == "commit_comment" {
            "/run"
        } else {
            ""
        }
        .to_owned(),
        ..trigger("t", event)
    }];
    let run = run(&triggers, event, payload).trigger;
    (run.number, run.git_ref, run.commit_sha, run.title, run.url)
}

fn telling(number: i64, texts: [&str; 4]) -> (i64, String, String, String, String) {
    let [git_ref, commit, title, url] = texts.map(str::to_owned);
    (number, git_ref, commit, title, url)
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn a_discussion_has_a_number_and_a_title() {
    let payload = json!({"action": "created", "sender": {"login": "mona"},
        "discussion": {"number": 12, "title": "Which way?", "html_url": "https://github.test/d/12", "user": {"login": "mona"},
            "author_association": "OWNER"}});
    assert_eq!(
        told("discussion", &payload),
        telling(12, ["", "", "Which way?", "https://github.test/d/12"])
    );
    let grouped = [Trigger {
        spec: Ok(RunSpec {
            concurrency_group: Some("d{number}".to_owned()),
            ..RunSpec::default()
        }),
        ..trigger("t", "discussion")
    }];
    let group = run(&grouped, "discussion", &payload).spec.concurrency_group;
    assert_eq!(group.as_deref(), Some("d12"));
}

#[test]
fn a_release_has_its_tag_and_the_commit_if_it_names_one() {
    let mut payload = json!({"action": "published", "sender": {"login": "mona"},
        "release": {"tag_name": "v1", "name": "One", "target_commitish": COMMIT, "html_url": "https://github.test/r/1"}});
    assert_eq!(
        told("release", &payload),
        telling(0, ["v1", COMMIT, "One", "https://github.test/r/1"])
    );
    payload["release"]["target_commitish"] = json!("main");
    payload["release"]["name"] = Value::Null;
    assert_eq!(
        told("release", &payload),
        telling(0, ["v1", "", "v1", "https://github.test/r/1"])
    );
    let tagged = |tags: &str| {
        [Trigger {
            tags: GlobFilter::new(texts(&[tags]), Vec::new()).expect("a glob"),
            ..trigger("t", "release")
        }]
    };
    run(&tagged("v*"), "release", &payload);
    ignored(&tagged("w*"), "release", &payload);
}

#[test]
fn a_workflow_run_has_its_branch_and_commit() {
    let payload = json!({"action": "completed", "sender": {"login": "mona"},
        "repository": {"id": 7, "owner": {"id": 5, "type": "User"}},
        "workflow_run": {"head_branch": "topic", "head_sha": COMMIT, "display_title": "Build", "html_url": "https://github.test/w/1",
            "head_repository": {"id": 7}}});
    let mut payload = payload;
    payload["sender"]["id"] = json!(5);
    assert_eq!(
        told("workflow_run", &payload),
        telling(0, ["topic", COMMIT, "Build", "https://github.test/w/1"])
    );
}

#[test]
fn a_comment_on_a_commit_has_that_commit_and_vouches_for_it_by_a_command_alone() {
    let payload = json!({"action": "created", "sender": {"login": "mona"}, "comment": {"body": "/run", "commit_id": COMMIT,
        "author_association": "OWNER", "user": {"login": "mona"}, "html_url": "https://github.test/c/1"}});
    assert_eq!(
        told("commit_comment", &payload),
        telling(0, ["", COMMIT, "Commit 0123456", "https://github.test/c/1"])
    );
    let reason = ignored(
        &[trigger("t", "commit_comment")],
        "commit_comment",
        &payload,
    );
    assert!(reason.contains("by a command in a comment"), "{reason}");
    let mut other = payload;
    other["comment"]["body"] = json!(format!("/run {}", COMMIT.replace('0', "f")));
    let reason = ignored(&command_on("commit_comment"), "commit_comment", &other);
    assert!(reason.contains("was asked to run on commit"), "{reason}");
}

fn command_on(event: &str) -> [Trigger; 1] {
    [Trigger {
        comment: "/run".to_owned(),
        ..trigger("t", event)
    }]
}

fn merge_group(action: &str, sender: &str) -> Value {
    json!({"action": action, "sender": {"login": sender, "type": "Bot"}, "merge_group": {
        "head_sha": COMMIT, "head_ref": "refs/heads/gh-readonly-queue/main/pr-9-abc", "base_sha": "abc",
        "base_ref": "refs/heads/main", "head_commit": {"id": COMMIT, "message": "Merge pull request #9\n\n[skip ci]"}}})
}

#[test]
fn the_merge_queue_asks_for_its_commit_and_goes_to_the_base_branch() {
    let queue = "github-merge-queue[bot]";
    let asked = merge_group("checks_requested", queue);
    assert_eq!(
        told("merge_group", &asked),
        telling(
            0,
            [
                "gh-readonly-queue/main/pr-9-abc",
                COMMIT,
                "Merge pull request #9",
                ""
            ]
        )
    );
    let on = |branch: &str| {
        [Trigger {
            branches: GlobFilter::for_branches(texts(&[branch]), Vec::new(), "main")
                .expect("a glob"),
            ..trigger("t", "merge_group")
        }]
    };
    run(&on("$default"), "merge_group", &asked);
    ignored(&on("next"), "merge_group", &asked);
    // Whoever queues has write access; GitHub's own account acts for them.
    assert!(!run(&on("main"), "merge_group", &asked).needs_write_access);
    ignored(
        &on("main"),
        "merge_group",
        &merge_group("checks_requested", "other[bot]"),
    );
    ignored(&on("main"), "merge_group", &merge_group("destroyed", queue));
}
