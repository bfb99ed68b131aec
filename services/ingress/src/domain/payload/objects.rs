//! The objects within a payload, as far as they matter.
use serde::Deserialize;

use super::tolerant_json::{FileNames, Flag, List, Member, Number, Object, Text};

/// Bounds the labels of an issue or a pull request that are looked at. GitHub allows 100.
const MAX_LABELS: usize = 256;

/// The repository that the event belongs to.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Repository<'a> {
    pub(crate) id: Number,
    #[serde(borrow)]
    pub(crate) html_url: Text<'a>,
    #[serde(borrow)]
    pub(crate) default_branch: Text<'a>,
    #[serde(borrow)]
    pub(crate) owner: Object<User<'a>>,
    /// In a push, seconds since 1970; elsewhere a text, which counts as absent.
    pub(crate) pushed_at: Number,
}

/// The time that made a delivery of our own.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct DueTime<'a> {
    /// The trigger's name.
    #[serde(borrow)]
    pub(crate) trigger: Text<'a>,
    #[serde(borrow)]
    pub(crate) due: Text<'a>,
}

/// An account.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct User<'a> {
    pub(crate) id: Number,
    #[serde(borrow)]
    pub(crate) login: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub(crate) account_type: Text<'a>,
}

impl User<'_> {
    /// Returns whether the account is a bot.
    pub(crate) fn is_bot(&self) -> bool {
        self.account_type.as_str() == "Bot" || self.login.as_str().ends_with("[bot]")
    }

    /// Returns whether two descriptions are of the same account. Ids decide: a login may change, and be taken over.
    pub(crate) fn is_same(&self, other: &User<'_>) -> bool {
        match (self.id.0, other.id.0) {
            (Some(one), Some(other)) => one == other,
            _ => {
                let login = self.login.as_str();
                !login.is_empty() && login.eq_ignore_ascii_case(other.login.as_str())
            }
        }
    }
}

/// A label.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Label<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
}

/// An issue, a pull request or a discussion.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Subject<'a> {
    pub(crate) number: Number,
    #[serde(borrow)]
    pub(crate) title: Text<'a>,
    #[serde(borrow)]
    pub(crate) html_url: Text<'a>,
    #[serde(borrow)]
    pub(crate) labels: List<Object<Label<'a>>, MAX_LABELS>,
    #[serde(borrow)]
    pub(crate) author_association: Text<'a>,
    #[serde(borrow)]
    pub(crate) user: Object<User<'a>>,
    /// An issue that has it is a pull request.
    pub(crate) pull_request: Object<PullRequestLink>,
    /// Whether a pull request was merged.
    pub(crate) merged: Flag,
    #[serde(borrow)]
    pub(crate) base: Object<Branch<'a>>,
    #[serde(borrow)]
    pub(crate) head: Object<Branch<'a>>,
}

/// The link from an issue to its pull request. Nothing in it matters.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct PullRequestLink {}

/// One end of a pull request.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Branch<'a> {
    #[serde(borrow, rename = "ref")]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) sha: Text<'a>,
    /// owner:branch.
    #[serde(borrow)]
    pub(crate) label: Text<'a>,
    /// The owner of its repository.
    #[serde(borrow)]
    pub(crate) user: Object<User<'a>>,
    /// Null if the repository is gone.
    #[serde(borrow)]
    pub(crate) repo: Member<HeadRepository<'a>>,
}

/// The repository of a head.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct HeadRepository<'a> {
    pub(crate) id: Number,
    #[serde(borrow)]
    pub(crate) full_name: Text<'a>,
}

/// A run of a workflow.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct WorkflowRun<'a> {
    #[serde(borrow)]
    pub(crate) head_branch: Text<'a>,
    #[serde(borrow)]
    pub(crate) head_sha: Text<'a>,
    #[serde(borrow)]
    pub(crate) display_title: Text<'a>,
    #[serde(borrow)]
    pub(crate) html_url: Text<'a>,
    #[serde(borrow)]
    pub(crate) head_repository: Member<HeadRepository<'a>>,
}

/// A comment on anything, or a review.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Comment<'a> {
    pub(crate) id: Number,
    #[serde(borrow)]
    pub(crate) body: Text<'a>,
    #[serde(borrow)]
    pub(crate) html_url: Text<'a>,
    #[serde(borrow)]
    pub(crate) author_association: Text<'a>,
    #[serde(borrow)]
    pub(crate) user: Object<User<'a>>,
    /// When it was written, as GitHub formats it.
    #[serde(borrow)]
    pub(crate) created_at: Text<'a>,
    /// The commit that it speaks of.
    #[serde(borrow)]
    pub(crate) commit_id: Text<'a>,
}

/// A release.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Release<'a> {
    #[serde(borrow)]
    pub(crate) tag_name: Text<'a>,
    /// The branch or the commit that the tag is made on, if it is not there yet.
    #[serde(borrow)]
    pub(crate) target_commitish: Text<'a>,
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) html_url: Text<'a>,
}

/// Pull requests that wait in the queue to be merged.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct MergeGroup<'a> {
    /// The queue's own branch, in full.
    #[serde(borrow)]
    pub(crate) head_ref: Text<'a>,
    #[serde(borrow)]
    pub(crate) head_sha: Text<'a>,
    #[serde(borrow)]
    pub(crate) base_sha: Text<'a>,
    /// The branch that they go to, in full.
    #[serde(borrow)]
    pub(crate) base_ref: Text<'a>,
    #[serde(borrow)]
    pub(crate) head_commit: Object<Commit<'a>>,
}

/// A commit of a push.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Commit<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) message: Text<'a>,
    #[serde(borrow)]
    pub(crate) url: Text<'a>,
    #[serde(borrow)]
    pub(crate) added: FileNames<'a>,
    #[serde(borrow)]
    pub(crate) modified: FileNames<'a>,
    #[serde(borrow)]
    pub(crate) removed: FileNames<'a>,
}
