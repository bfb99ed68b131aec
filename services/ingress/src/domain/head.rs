//! The head of a pull request on which somebody comments: what is asked of the provider, and what its answer means. A
//! command vouches for the commit that was the head when it was given, and for no other.
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    command,
    event::WebhookEvent,
    forks::{ForkRules, Secrets},
    origin::OtherRepository,
    payload::Comment,
    trigger::Trigger,
};

/// The fewest digits by which somebody may name a commit; GitHub shows as many.
const MIN_COMMIT_DIGITS: usize = 7;
/// The digits of a commit's SHA-256.
const MAX_COMMIT_DIGITS: usize = 64;
/// The digits of a whole name (SHA-1). Whoever pushes can make two commits whose names begin alike, but not two of one
/// name: a shorter one proves nothing.
const WHOLE_COMMIT_DIGITS: usize = 40;
/// How many digits of a commit people are shown.
const SHOWN_DIGITS: usize = 7;

/// The head of a pull request, as the provider states it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PullRequestHead {
    pub(crate) commit: String,
    /// Its branch, in its own repository.
    pub(crate) branch: String,
    /// The branch that the pull request goes to.
    pub(crate) base_branch: String,
    pub(crate) repository: OtherRepository,
    /// When anything about the pull request last changed.
    pub(crate) updated_at: Option<OffsetDateTime>,
}

/// A head that must be asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HeadQuestion {
    /// The pull request's number.
    pub(crate) number: u64,
    /// The provider's id of the delivery's repository.
    own_id: Option<u64>,
    rules: ForkRules,
    /// When the comment was written.
    asked_at: Option<OffsetDateTime>,
    /// The commit that the command names.
    named_commit: Option<String>,
}

/// Whose code a head is, and whether its run gets secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum HeadOwner {
    Own,
    Other(OtherRepository, Secrets),
}

impl HeadQuestion {
    pub(crate) fn new(number: u64, trigger: &Trigger, event: WebhookEvent<'_>) -> Self {
        let comment = event.payload.comment();
        let written_at = comment.map_or("", |comment| comment.created_at.as_str());
        Self {
            number,
            own_id: event.payload.repository_id(),
            rules: trigger.fork_rules(event),
            asked_at: OffsetDateTime::parse(written_at, &Rfc3339).ok(),
            named_commit: comment.and_then(|comment| named_commit(trigger, comment)),
        }
    }

    /// Returns whose code the head is, or why nothing runs on it.
    pub(crate) fn judge(&self, head: &PullRequestHead) -> Result<HeadOwner, String> {
        if head.repository.id.is_some() && head.repository.id == self.own_id {
            return Ok(HeadOwner::Own);
        }
        if self.rules.is_command {
            self.check(head)?;
        }
        let secrets = self.rules.admit(&head.repository)?;
        Ok(HeadOwner::Other(head.repository.clone(), secrets))
    }

    /// Checks that the head is the commit for which the command was given. What is not known to be older than the
    /// command may be newer.
    fn check(&self, head: &PullRequestHead) -> Result<(), String> {
        if is_proven(self.named_commit.as_deref(), &head.commit)? {
            return Ok(());
        }
        match (head.updated_at, self.asked_at) {
            (Some(updated), Some(asked)) if updated <= asked => Ok(()),
            _ => Err(format!(
                "refuses a head that may be newer than the command: pull request {} may have changed since the comment; give \
                 the command again, and name the whole commit ({})",
                self.number, head.commit
            )),
        }
    }
}

/// Checks that a command is for the head that the delivery itself states: a review and its comments speak of a commit.
pub(crate) fn check_commit(trigger: &Trigger, event: WebhookEvent<'_>) -> Result<(), String> {
    let Some(comment) = event.payload.comment() else {
        return Ok(());
    };
    let head = event.payload.pull_request.0.as_ref();
    let head = head.and_then(|pull_request| pull_request.head.0.as_ref());
    // A comment on a commit is about that one.
    let head = match event.name {
        "commit_comment" => comment.commit_id.as_str(),
        _ => head.map_or("", |head| head.sha.as_str()),
    };
    if is_proven(named_commit(trigger, comment).as_deref(), head)? {
        return Ok(());
    }
    match comment.commit_id.as_str() {
        "" => Ok(()),
        reviewed => check_named(reviewed, head),
    }
}

/// Returns whether the commit that a command names proves that it is for this head; an error if it is for another one.
fn is_proven(named: Option<&str>, head: &str) -> Result<bool, String> {
    let Some(named) = named else {
        return Ok(false);
    };
    check_named(named, head)?;
    Ok(named.len() >= WHOLE_COMMIT_DIGITS)
}

fn check_named(named: &str, head: &str) -> Result<(), String> {
    let is_head = head
        .get(..named.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(named));
    is_head.then_some(()).ok_or_else(|| {
        format!(
            "was asked to run on commit {}, and the head is {} now: ask for that one",
            shown(named),
            shown(head)
        )
    })
}

/// Returns the commit that a command names: its first argument, if it looks like one.
fn named_commit(trigger: &Trigger, comment: &Comment<'_>) -> Option<String> {
    let arguments = command::arguments(comment.body.as_str(), &trigger.comment)?;
    let word = arguments.split_whitespace().next()?;
    let is_commit = (MIN_COMMIT_DIGITS..=MAX_COMMIT_DIGITS).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit.then(|| word.to_owned())
}

fn shown(commit: &str) -> &str {
    commit.get(..SHOWN_DIGITS).unwrap_or(commit)
}
