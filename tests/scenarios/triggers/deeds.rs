//! What people and bots do at GitHub, as the matrix of who may trigger tries it: events, and how their payloads look.
use serde_json::{Value, json};

use super::{FORK, FORKS_PULL_REQUEST, HEAD, OWN_PULL_REQUEST};

/// What somebody does.
pub(super) struct Deed {
    /// The row's title.
    pub(super) title: &'static str,
    pub(super) event: &'static str,
    /// Further keys of the trigger.
    pub(super) keys: &'static str,
    /// Whose code it can be about: the pull request's or, with one origin, no fork's.
    pub(super) with_fork: bool,
    /// Where GitHub itself asks for a role in the repository.
    pub(super) guarded: &'static [Origin],
    pub(super) fields: fn(&Value, Origin) -> Value,
}

/// Whose code an event is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Ours,
    Fork,
}

impl Origin {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Fork => "fork",
        }
    }

    const fn pull_request(self) -> u64 {
        match self {
            Self::Ours => OWN_PULL_REQUEST,
            Self::Fork => FORKS_PULL_REQUEST,
        }
    }
}

impl Deed {
    fn new(
        title: &'static str,
        event: &'static str,
        keys: &'static str,
        fields: fn(&Value, Origin) -> Value,
    ) -> Self {
        Self {
            title,
            event,
            keys,
            with_fork: false,
            guarded: &[],
            fields,
        }
    }

    /// It may be about a fork's code, too.
    fn of_forks_too(mut self) -> Self {
        self.with_fork = true;
        self
    }

    /// GitHub itself asks for a role in the repository.
    fn guarded(mut self, origins: &'static [Origin]) -> Self {
        self.guarded = origins;
        self
    }
}

/// An issue or a pull request, as the payload describes it.
fn thread(author: &Value, origin: Origin) -> Value {
    let repository = match origin {
        // The delivery's own id is filled in.
        Origin::Ours => json!("own"),
        Origin::Fork => json!({"id": FORK, "full_name": "ann/one"}),
    };
    json!({"number": origin.pull_request(), "title": "Tidy up", "user": author, "author_association": author["association"],
        "base": {"ref": "main"}, "head": {"ref": "main", "sha": HEAD, "repo": repository}})
}

/// A pull request, as the payload of a comment describes it: without its head.
fn commented(origin: Origin) -> Value {
    json!({"number": origin.pull_request(), "user": stranger(), "pull_request": {"url": "x"}})
}

/// Somebody without any right, who has written what others act on.
fn stranger() -> Value {
    json!({"login": "zoe", "id": 99, "type": "User", "association": "NONE"})
}

fn said(by: &Value, body: &str) -> Value {
    json!({"id": 4711, "body": body, "user": by, "author_association": by["association"], "commit_id": HEAD,
        "created_at": "2026-11-27T12:00:00Z"})
}

/// Returns everything that the matrix tries.
pub(super) fn deeds() -> Vec<Deed> {
    let mut deeds = of_code();
    deeds.extend(of_issues());
    deeds.extend(of_pull_requests());
    deeds.extend(of_anybody());
    deeds
}

fn of_code() -> Vec<Deed> {
    vec![
        Deed::new(
            "`push`",
            "push",
            "",
            |_, _| json!({"ref": "refs/heads/main", "after": HEAD}),
        )
        .guarded(&[Origin::Ours]),
        Deed::new(
            "`release` published",
            "release",
            "",
            |_, _| json!({"action": "published", "release": {"tag_name": "v1"}}),
        )
        .guarded(&[Origin::Ours]),
    ]
}

fn of_issues() -> Vec<Deed> {
    let event = "issues";
    vec![
        Deed::new("`issues` opened", event, "actions: opened", |by, _| {
            json!({"action": "opened", "issue": thread(by, Origin::Ours)})
        }),
        Deed::new("`issues` labeled", event, "actions: labeled", |_, _| {
            json!({"action": "labeled", "label": {"name": "run"}, "issue": thread(&stranger(), Origin::Ours)})
        })
        .guarded(&[Origin::Ours]),
        Deed::new(
            "`issues` typed, by the template of their own issue",
            event,
            "actions: typed",
            |by, _| json!({"action": "typed", "issue": thread(by, Origin::Ours)}),
        ),
        Deed::new(
            "`issue_comment` on an issue",
            "issue_comment",
            "actions: edited",
            |by, _| {
                json!({"action": "edited", "issue": {"number": 1, "user": stranger()}, "comment": said(by, "hello")})
            },
        ),
        Deed::new(
            "`issue_comment` with a command on a pull request",
            "issue_comment",
            "comment: /run",
            |by, origin| json!({"action": "created", "issue": commented(origin), "comment": said(by, "/run")}),
        )
        .of_forks_too(),
        Deed::new(
            "`issue_comment` without one on a pull request",
            "issue_comment",
            "actions: deleted",
            |by, origin| json!({"action": "deleted", "issue": commented(origin), "comment": said(by, "hello")}),
        )
        .of_forks_too(),
    ]
}

fn of_pull_requests() -> Vec<Deed> {
    let event = "pull_request";
    vec![
        Deed::new("`pull_request` opened", event, "actions: opened", |by, origin| {
            json!({"action": "opened", "pull_request": thread(by, origin)})
        }),
        Deed::new(
            "`pull_request` synchronize, of a stranger's",
            event,
            "actions: synchronize",
            |_, origin| json!({"action": "synchronize", "pull_request": thread(&stranger(), origin)}),
        )
        .guarded(&[Origin::Ours]),
        Deed::new("`pull_request` labeled", event, "actions: labeled", |_, origin| {
            json!({"action": "labeled", "label": {"name": "run"}, "pull_request": thread(&stranger(), origin)})
        })
        .guarded(&[Origin::Ours, Origin::Fork]),
        Deed::new(
            "`pull_request_review` of a member's",
            "pull_request_review",
            "actions: submitted",
            |by, origin| {
                let member = json!({"login": "max", "id": 98, "association": "MEMBER"});
                json!({"action": "submitted", "pull_request": thread(&member, origin), "review": said(by, "hm")})
            },
        ),
        Deed::new(
            "`pull_request_review_comment` with a command",
            "pull_request_review_comment",
            "comment: /run",
            |by, origin| {
                json!({"action": "created", "pull_request": thread(&stranger(), origin), "comment": said(by, "/run")})
            },
        ),
    ]
    .into_iter()
    .map(Deed::of_forks_too)
    .collect()
}

fn of_anybody() -> Vec<Deed> {
    vec![
        Deed::new("`discussion` created", "discussion", "", |by, _| {
            json!({"action": "created", "discussion": {"number": 5, "user": by, "author_association": by["association"]}})
        }),
        Deed::new("`fork`", "fork", "", |_, _| json!({"forkee": {"id": FORK}})),
        Deed::new("`workflow_run` completed", "workflow_run", "", |by, origin| {
            let repository = thread(by, origin)["head"]["repo"].clone();
            json!({"action": "completed", "workflow_run": {"head_branch": "main", "head_sha": HEAD, "head_repository": repository}})
        })
        .of_forks_too(),
        Deed::new("an event that is new", "event_of_tomorrow", "", |_, _| {
            json!({"action": "created"})
        }),
    ]
}
