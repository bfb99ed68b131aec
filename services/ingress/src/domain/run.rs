//! The run that a delivery asks for: what runs, with its concurrency group filled in, and what made it.
use ck8s_types::{RunSpec, RunTrigger};
use sha2::{Digest, Sha256};

use super::{
    matching::{Happening, branch_of, is_bot, subject},
    trigger::Trigger,
};

/// What stands in a run's row and in every list of runs.
const LONGEST_TITLE: usize = 300;
/// Branches, urls, logins: longer ones are cut.
const LONGEST_FIELD: usize = 1_000;
/// They become an environment variable of the workload.
const LONGEST_ARGUMENTS: usize = 8 * 1024;
/// What the contract takes for a concurrency group, in bytes.
const LONGEST_GROUP: usize = 200;

/// A run that is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    /// What makes it.
    pub(crate) trigger: RunTrigger,
    /// What runs.
    pub(crate) spec: RunSpec,
    /// A bot triggers it, and may.
    pub(crate) by_bot: bool,
    /// The provider's id of whoever triggers it.
    pub(crate) by_id: Option<u64>,
}

/// The run that this trigger makes of this delivery.
pub(super) fn wanted(trigger: &Trigger, spec: &RunSpec, happening: Happening<'_>) -> Wanted {
    let made_by = made_by(trigger, happening);
    let mut spec = spec.clone();
    if let Some(group) = &spec.concurrency_group {
        spec.concurrency_group = Some(fit_group(&fill(group, &made_by, happening)));
    }
    Wanted {
        trigger: made_by,
        spec,
        by_bot: is_bot(happening.payload),
        by_id: happening.payload.sender_id(),
    }
}

fn made_by(trigger: &Trigger, happening: Happening<'_>) -> RunTrigger {
    let payload = happening.payload;
    let mut made = RunTrigger {
        name: trigger.name.clone(),
        event: happening.event.to_owned(),
        action: clean(payload.action.as_str(), LONGEST_FIELD),
        actor: clean(payload.sender_login(), LONGEST_FIELD),
        ..RunTrigger::default()
    };
    if let Some(subject) = subject(payload) {
        made.number = subject
            .number
            .0
            .and_then(|n| i64::try_from(n).ok())
            .unwrap_or(0);
        made.title = clean(subject.title.as_str(), LONGEST_TITLE);
        made.url = clean(subject.html_url.as_str(), LONGEST_FIELD);
        if let Some(head) = &subject.head.0 {
            made.git_ref = clean(head.name.as_str(), LONGEST_FIELD);
            made.commit_sha = clean(head.sha.as_str(), LONGEST_FIELD);
        }
    }
    if let Some(comment) = &payload.comment.0 {
        made.url = clean(comment.html_url.as_str(), LONGEST_FIELD);
        let id = comment.id.0.filter(|_| happening.event == "issue_comment");
        made.comment_id = id.map(|id| id.to_string()).unwrap_or_default();
        if !trigger.comment.is_empty() {
            let body = comment.body.as_str().trim_start();
            let rest = body
                .strip_prefix(trigger.comment.as_str())
                .unwrap_or_default();
            made.arguments = clean(rest.trim(), LONGEST_ARGUMENTS);
        }
    }
    if made.git_ref.is_empty() {
        let git_ref = payload.git_ref.as_str();
        let short = git_ref
            .strip_prefix("refs/heads/")
            .or_else(|| git_ref.strip_prefix("refs/tags/"));
        made.git_ref = clean(short.unwrap_or(git_ref), LONGEST_FIELD);
    }
    if happening.event == "push" {
        made.commit_sha = clean(payload.after.as_str(), LONGEST_FIELD);
        made.url = clean(payload.compare.as_str(), LONGEST_FIELD);
        if let Some(commit) = &payload.head_commit.0 {
            let first_line = commit.message.as_str().lines().next().unwrap_or_default();
            made.title = clean(first_line, LONGEST_TITLE);
            made.commit_sha = clean(commit.id.as_str(), LONGEST_FIELD);
            made.url = clean(commit.url.as_str(), LONGEST_FIELD);
        }
    }
    if made.url.is_empty() {
        let repository = payload.repository.0.as_ref();
        made.url = clean(
            repository.map_or("", |r| r.html_url.as_str()),
            LONGEST_FIELD,
        );
    }
    made
}

/// Fills the placeholders in one pass: what is filled in is never read as a placeholder itself.
fn fill(group: &str, made_by: &RunTrigger, happening: Happening<'_>) -> String {
    let mut filled = String::with_capacity(group.len() + 40);
    let mut rest = group;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let Some(end) = from.find('}') else {
            rest = from;
            break;
        };
        match &from[..=end] {
            "{repository}" => filled.push_str(happening.repository),
            "{number}" if made_by.number != 0 => filled.push_str(&made_by.number.to_string()),
            "{number}" => {}
            "{ref}" => filled.push_str(&made_by.git_ref),
            "{branch}" => filled.push_str(branch_of(happening).unwrap_or_default()),
            "{event}" => filled.push_str(happening.event),
            other => filled.push_str(other),
        }
        rest = &from[end + 1..];
    }
    filled.push_str(rest);
    filled
}

/// A group that is too long keeps its beginning; its end becomes a hash, so that different groups stay different.
fn fit_group(group: &str) -> String {
    let group = group.replace('\0', "\u{fffd}");
    if group.len() <= LONGEST_GROUP {
        return group;
    }
    let hash = hex::encode(&Sha256::digest(group.as_bytes())[..16]);
    let mut end = LONGEST_GROUP - hash.len() - 1;
    while !group.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{hash}", &group[..end])
}

/// A text that every reader can take: no NUL, which PostgreSQL refuses, and at most so many characters.
pub(crate) fn clean(text: &str, longest: usize) -> String {
    let end = text
        .char_indices()
        .nth(longest)
        .map_or(text.len(), |(at, _)| at);
    text[..end].replace('\0', "\u{fffd}")
}
