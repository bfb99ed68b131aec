//! The few fields of a GitHub payload that matter here, borrowed from the body.
mod body;
mod known_members;
mod objects;
mod repair;
mod repository_id;
mod tolerant_json;

use serde::Deserialize;

use self::tolerant_json::{Flag, List, Object, Text};

pub(crate) use self::{
    body::PayloadBody,
    objects::{
        Branch, Comment, Commit, DueTime, HeadRepository, Label, MergeGroup, Release, Repository,
        Subject, User, WorkflowRun,
    },
    repository_id::repository_id,
    tolerant_json::Member,
};

/// Bounds the nesting of a body: other JSON readers refuse deeper ones too, no real payload comes near, and what is
/// stored must be readable.
const MAX_DEPTH: usize = 128;
/// Bounds the commits of a push that are looked at. GitHub sends no more.
pub(crate) const MAX_COMMITS: usize = 2_048;

/// The fields of a payload that matter.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Payload<'a> {
    #[serde(borrow)]
    pub(crate) action: Text<'a>,
    #[serde(borrow)]
    pub(crate) repository: Object<Repository<'a>>,
    #[serde(borrow)]
    pub(crate) sender: Object<User<'a>>,
    #[serde(borrow)]
    pub(crate) label: Object<Label<'a>>,
    #[serde(borrow)]
    pub(crate) issue: Object<Subject<'a>>,
    #[serde(borrow)]
    pub(crate) pull_request: Object<Subject<'a>>,
    #[serde(borrow)]
    pub(crate) comment: Object<Comment<'a>>,
    #[serde(borrow)]
    pub(crate) review: Object<Comment<'a>>,
    #[serde(borrow)]
    pub(crate) discussion: Object<Subject<'a>>,
    #[serde(borrow)]
    pub(crate) release: Object<Release<'a>>,
    #[serde(borrow)]
    pub(crate) workflow_run: Object<WorkflowRun<'a>>,
    #[serde(borrow)]
    pub(crate) merge_group: Object<MergeGroup<'a>>,
    #[serde(borrow, rename = "ref")]
    pub(crate) git_ref: Text<'a>,
    #[serde(borrow)]
    pub(crate) ref_type: Text<'a>,
    #[serde(borrow)]
    pub(crate) before: Text<'a>,
    #[serde(borrow)]
    pub(crate) after: Text<'a>,
    #[serde(borrow)]
    pub(crate) compare: Text<'a>,
    pub(crate) deleted: Flag,
    #[serde(borrow)]
    pub(crate) schedule: Object<DueTime<'a>>,
    pub(crate) forced: Flag,
    #[serde(borrow)]
    pub(crate) head_commit: Object<Commit<'a>>,
    #[serde(borrow)]
    pub(crate) commits: List<Object<Commit<'a>>, MAX_COMMITS>,
}

/// The reason why a body is not a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PayloadError {
    /// The body is not JSON.
    Syntax,
    /// The body is nested too deep.
    Depth,
    /// The body is JSON, but not an object.
    Shape,
}

impl<'a> Payload<'a> {
    /// Parses a body that is valid JSON to every reader (`PayloadBody` takes others).
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, PayloadError> {
        if nested_too_deep(body) {
            return Err(PayloadError::Depth);
        }
        let object: Object<Self> =
            serde_json::from_slice(body).map_err(|_| PayloadError::Syntax)?;
        object.0.ok_or(PayloadError::Shape)
    }

    /// Returns GitHub's id of the repository.
    pub(crate) fn repository_id(&self) -> Option<u64> {
        self.repository.0.as_ref()?.id.0
    }

    /// Returns the account that caused the event; none if GitHub names none.
    pub(crate) fn sender(&self) -> Option<&User<'a>> {
        let sender = self.sender.0.as_ref();
        sender.filter(|sender| !sender.login.as_str().is_empty())
    }

    /// Returns the name of the account that caused the event; empty if it is missing.
    pub(crate) fn sender_login(&self) -> &str {
        self.sender().map_or("", |user| user.login.as_str())
    }

    /// Returns the comment or the review: what a command stands in.
    pub(crate) fn comment(&self) -> Option<&Comment<'a>> {
        self.comment.0.as_ref().or(self.review.0.as_ref())
    }

    /// Returns how many elements the longest of its lists has.
    #[cfg(feature = "fuzz")]
    pub(crate) fn longest_list(&self) -> usize {
        let labels = [&self.issue, &self.pull_request, &self.discussion]
            .into_iter()
            .filter_map(|subject| subject.0.as_ref())
            .map(|subject| subject.labels.0.len());
        labels.chain([self.commits.0.len()]).max().unwrap_or(0)
    }

    /// Returns the pull request, the issue or the discussion.
    pub(crate) fn subject(&self) -> Option<&Subject<'a>> {
        let subjects = [&self.pull_request, &self.issue, &self.discussion];
        subjects.into_iter().find_map(|subject| subject.0.as_ref())
    }

    /// Returns the repository's default branch; none if the payload does not say it.
    pub(crate) fn default_branch(&self) -> Option<&str> {
        let repository = self.repository.0.as_ref()?;
        Some(repository.default_branch.as_str()).filter(|name| !name.is_empty())
    }
}

/// Returns whether a body is nested too deep. serde_json skips unknown fields without recursion, so depth is checked
/// here; counting brackets is enough for nearly all bodies.
fn nested_too_deep(body: &[u8]) -> bool {
    // With this bit set, `[` becomes `{`. The sum of a piece of less than 256 bytes fits a byte, so that many are added
    // at once.
    let opening: usize = body
        .chunks(192)
        .map(|piece| {
            piece
                .iter()
                .map(|byte| u8::from(byte | 0x20 == b'{'))
                .sum::<u8>()
        })
        .map(usize::from)
        .sum();
    if opening <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for &byte in body {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests;
