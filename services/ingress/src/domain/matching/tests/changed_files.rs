//! The files of an event that the delivery does not list, or not all of them.
use super::*;
use crate::domain::{
    changed_files::{ChangeSet, ChangedFiles},
    event::Actor,
    trigger::GlobFilter,
};

const BEFORE: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const AFTER: &str = "cccccccccccccccccccccccccccccccccccccccc";
const NONE: &str = "0000000000000000000000000000000000000000";

fn on(event: &str) -> [Trigger; 1] {
    [Trigger {
        paths: GlobFilter::new(texts(&["src/**"]), Vec::new()).expect("a glob"),
        ..trigger("t", event)
    }]
}

fn push_of(before: &str, commits: &Value) -> Value {
    json!({"ref": "refs/heads/topic", "before": before, "after": AFTER, "sender": {"login": "mona"},
        "repository": {"default_branch": "trunk"}, "commits": commits,
        "head_commit": {"id": AFTER, "message": "Work", "modified": ["docs/last.md"]}})
}

fn commit(id: usize, file: &str) -> Value {
    json!({"id": format!("c{id}"), "modified": [file]})
}

/// Returns the run that asks for files, as whoever has a credential gets it.
#[track_caller]
fn asking(event: &str, payload: &Value) -> TriggeredRun {
    let managed = WriteAccessSource::Provider {
        actor: Actor::default(),
    };
    match decision_with(&on(event), event, payload, &managed) {
        Decision::Run(run) => *run,
        Decision::Ignored(reason) => panic!("ignored: {reason}"),
    }
}

fn change(event: &str, payload: &Value) -> Option<ChangeSet> {
    asking(event, payload).files.map(|files| files.change)
}

fn between(base: &str) -> ChangeSet {
    ChangeSet::Between {
        base: base.to_owned(),
        head: AFTER.to_owned(),
    }
}

fn pull_request() -> Value {
    json!({"action": "opened", "sender": {"login": "mona"}, "pull_request": {"number": 9, "user": {"login": "mona"},
        "author_association": "MEMBER", "base": {"ref": "main"}, "head": {"ref": "topic", "sha": AFTER}}})
}

#[test]
fn a_push_whose_list_may_not_be_whole_asks_for_its_files() {
    let docs = json!([commit(1, "docs/a.md")]);
    let many: Vec<Value> = (0..2_048).map(|n| commit(n, "docs/a.md")).collect();
    let merge = json!([commit(1, "docs/a.md"), {"id": "m", "modified": []}]);
    for (payload, expected) in [
        (push_of(BEFORE, &docs), None),
        (push_of(BEFORE, &json!(many)), Some(between(BEFORE))),
        (push_of(BEFORE, &json!([])), Some(between(BEFORE))),
        (push_of(BEFORE, &merge), Some(between(BEFORE))),
        (push_of(NONE, &docs), Some(between("trunk"))),
    ] {
        let run = decision_with(
            &on("push"),
            "push",
            &payload,
            &WriteAccessSource::Provider {
                actor: Actor::default(),
            },
        );
        let asked = match run {
            Decision::Run(run) => run.files.map(|files| files.change),
            Decision::Ignored(_) => None,
        };
        assert_eq!(asked, expected);
    }
    let mut forced = push_of(BEFORE, &docs);
    forced["forced"] = json!(true);
    assert_eq!(change("push", &forced), Some(between(BEFORE)));
    // A file that fits needs no question.
    forced["commits"] = json!([commit(1, "src/a.rs")]);
    assert_eq!(change("push", &forced), None);
    // Of the first push there is nothing to compare with.
    let mut first = push_of(NONE, &docs);
    first["ref"] = json!("refs/heads/trunk");
    let run = asking("push", &first);
    assert_eq!(run.files, None);
    assert!(
        run.trigger.note.contains("names only 2 of"),
        "{}",
        run.trigger.note
    );
}

#[test]
fn without_a_credential_the_last_commit_counts_beside_the_others_and_the_reason_says_what_is_not_known()
 {
    let many: Vec<Value> = (0..2_048).map(|n| commit(n, "docs/a.md")).collect();
    let mut cut = push_of(BEFORE, &json!(many));
    assert_eq!(
        ignored(&on("push"), "push", &cut),
        "trigger \"t\" wants a changed file in \"src/**\": the delivery lists 2049 files of which none fits, and nobody can be \
         asked for others without a credential: add one"
    );
    cut["head_commit"]["modified"] = json!(["src/a.rs"]);
    run(&on("push"), "push", &cut);
    // It is one of the others, and is not counted twice.
    let mut short = push_of(BEFORE, &json!([commit(1, "docs/a.md")]));
    short["head_commit"]["id"] = json!("c1");
    let reason = ignored(&on("push"), "push", &short);
    assert!(reason.ends_with("none of 1 fits"), "{reason}");
    assert_eq!(
        ignored(&on("pull_request"), "pull_request", &pull_request()),
        "trigger \"t\" wants a changed file in \"src/**\": the delivery lists no files, and nobody can be asked for others \
         without a credential: add one"
    );
}

#[test]
fn pull_requests_comments_on_them_and_the_merge_queue_ask_for_their_files() {
    assert_eq!(
        change("pull_request", &pull_request()),
        Some(ChangeSet::PullRequest(9))
    );
    let mut said = comment("hm", "OWNER");
    said["issue"]["pull_request"] = json!({});
    assert_eq!(
        change("issue_comment", &said),
        Some(ChangeSet::PullRequest(3))
    );
    let queued = json!({"action": "checks_requested", "sender": {"login": "mona"}, "merge_group": {"head_sha": AFTER,
        "head_ref": "refs/heads/q", "base_sha": BEFORE, "base_ref": "refs/heads/main"}});
    assert_eq!(change("merge_group", &queued), Some(between(BEFORE)));
    assert_eq!(
        ignored(&on("issues"), "issues", &labeled("x")),
        "trigger \"t\" wants a changed file in \"src/**\", and this event changes none: leave out `paths`"
    );
}

/// As in GitHub's own workflows: files do not matter for a tag that the trigger names.
#[test]
fn a_tag_that_is_named_needs_no_files() {
    let tagged = Trigger {
        tags: GlobFilter::new(texts(&["v*"]), Vec::new()).expect("a glob"),
        ..on("push").into_iter().next().expect("a trigger")
    };
    let mut pushed = push_of(NONE, &json!([]));
    pushed["ref"] = json!("refs/tags/v1");
    run(&[tagged], "push", &pushed);
    ignored(&on("push"), "push", &pushed);
}

#[test]
fn an_answer_fits_or_not_and_beyond_its_bound_the_run_says_so() {
    let answered = |paths: &[&str], is_complete| {
        let mut run = asking("pull_request", &pull_request());
        let files = ChangedFiles {
            paths: texts(paths),
            is_complete,
        };
        run.check_files(&files).map(|()| run.trigger.note)
    };
    assert_eq!(
        answered(&["README.md", "src/a.rs"], true),
        Ok(String::new())
    );
    assert_eq!(answered(&["src/a.rs"], false), Ok(String::new()));
    assert_eq!(
        answered(&["README.md"], true),
        Err("wants a changed file in \"src/**\", none of 1 fits".to_owned())
    );
    assert_eq!(
        answered(&["README.md"], false),
        Ok("the provider names only 1 of the changed files, and none is in \"src/**\"; the trigger matches, because another \
            one may be"
            .to_owned())
    );
    let note = answered(&[], false).expect("it matches");
    assert!(
        note.starts_with("the provider does not say which files"),
        "{note}"
    );
}
