//! What a delivery itself says about the rights of whoever caused it. Everything is denied that is not listed here:
//! an event or an action that GitHub adds tomorrow implies nothing.
use super::{
    event::WebhookEvent,
    origin::{self, Origin},
    payload::{Payload, Subject, User},
};

/// The events that only somebody with write access can cause, at GitHub or through its API.
///
/// Not among them, although it seems so: `deployment` and `deployment_status` (a workflow of a fork's pull request
/// that names an environment makes them in the name of whoever opened it), `check_run`, `check_suite`, `workflow_run`
/// and `workflow_job` (the push to a fork makes them), `gollum` (a wiki may be open to everybody), `member` (who
/// accepts an invitation is its sender).
const WRITE_EVENTS: [&str; 14] = [
    "branch_protection_configuration",
    "branch_protection_rule",
    "create",
    "delete",
    "deploy_key",
    "label",
    "merge_group",
    "public",
    "push",
    "release",
    "repository",
    "repository_dispatch",
    "repository_ruleset",
    "workflow_dispatch",
];

/// What nobody may do to an issue or a pull request without at least the role triage, its author neither. A template
/// does some of it in the name of whoever opens the issue.
const TRIAGE_ACTIONS: [&str; 16] = [
    "assigned",
    "deleted",
    "demilestoned",
    "labeled",
    "locked",
    "milestoned",
    "pinned",
    "transferred",
    "typed",
    "unassigned",
    "unlabeled",
    "unlocked",
    "unpinned",
    "untyped",
    "auto_merge_enabled",
    "auto_merge_disabled",
];
/// What the author of an issue may do to it, and beside them only somebody with the role triage. `opened` by somebody
/// else is a transfer from another repository.
const ISSUE_ACTIONS: [&str; 4] = ["opened", "edited", "closed", "reopened"];
/// The same for a pull request. `closed` and `synchronize` are missing: whoever deletes a fork's branch or pushes to it
/// causes them.
const PULL_REQUEST_ACTIONS: [&str; 4] = [
    "edited",
    "reopened",
    "ready_for_review",
    "converted_to_draft",
];
/// The actions with which a comment or a review begins: their sender wrote it.
const WRITING_ACTIONS: [&str; 2] = ["created", "submitted"];
/// The associations of people who have write access.
const WRITERS: [&str; 3] = ["OWNER", "MEMBER", "COLLABORATOR"];

/// What a delivery says about the rights of its sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SenderRights {
    /// Only somebody with write access can cause this event: nobody is asked.
    Write,
    /// The payload says or implies that they belong to the repository. That is enough where nobody can be asked.
    Claimed,
    /// Nothing shows a right, for this reason.
    Unknown(String),
}

/// Returns what a delivery says about its sender.
pub(crate) fn of(event: WebhookEvent<'_>, sender: &User<'_>) -> SenderRights {
    if WRITE_EVENTS.contains(&event.name) {
        return SenderRights::Write;
    }
    let payload = event.payload;
    let login = sender.login.as_str();
    match association(event, sender) {
        Some(association) if WRITERS.contains(&association) => SenderRights::Claimed,
        _ if owns_repository(payload, sender) => SenderRights::Claimed,
        None if is_implied(event, sender) => SenderRights::Claimed,
        Some(association) if !association.is_empty() => {
            SenderRights::Unknown(format!("needs write access: {login:?} is {association:?}"))
        }
        _ => SenderRights::Unknown(format!(
            "needs write access, and the delivery does not say whether {login:?} has it"
        )),
    }
}

/// Returns how the payload relates the sender to the repository: an association is of the author of what it stands in,
/// and of nobody else.
fn association<'a>(event: WebhookEvent<'a>, sender: &User<'_>) -> Option<&'a str> {
    let payload = event.payload;
    let begins = WRITING_ACTIONS.contains(&payload.action.as_str());
    for comment in [&payload.comment.0, &payload.review.0]
        .into_iter()
        .flatten()
    {
        let is_theirs = match &comment.user.0 {
            Some(author) => author.is_same(sender),
            None => begins,
        };
        if is_theirs {
            // It is the nearest word on the matter, even if it is none.
            return Some(comment.author_association.as_str());
        }
    }
    let subjects = [&payload.pull_request, &payload.issue, &payload.discussion];
    subjects
        .into_iter()
        .filter_map(|subject| subject.0.as_ref())
        .find(|subject| is_author(subject, sender))
        .map(|subject| subject.author_association.as_str())
        .filter(|association| !association.is_empty())
}

/// Returns whether the repository is the sender's own.
fn owns_repository(payload: &Payload<'_>, sender: &User<'_>) -> bool {
    let owner = payload.repository.0.as_ref();
    let owner = owner.and_then(|repository| repository.owner.0.as_ref());
    owner.is_some_and(|owner| {
        let is_person = owner.account_type.as_str() != "Organization";
        is_person && owner.id.0.is_some() && owner.id.0 == sender.id.0
    })
}

/// Returns whether GitHub lets nobody without a right in the repository do this.
fn is_implied(event: WebhookEvent<'_>, sender: &User<'_>) -> bool {
    let payload = event.payload;
    let action = payload.action.as_str();
    match event.name {
        "milestone" => true,
        "issues" => payload.issue.0.as_ref().is_some_and(|issue| {
            TRIAGE_ACTIONS.contains(&action)
                || (ISSUE_ACTIONS.contains(&action) && !is_author(issue, sender))
        }),
        "pull_request" => payload.pull_request.0.as_ref().is_some_and(|pull_request| {
            TRIAGE_ACTIONS.contains(&action)
                || (action == "closed" && pull_request.merged.0)
                || (action == "synchronize" && origin::of(event) == Origin::Own)
                || (PULL_REQUEST_ACTIONS.contains(&action) && !is_author(pull_request, sender))
        }),
        _ => false,
    }
}

/// Returns whether the sender opened this. A deleted account has no name in a payload, and acts no more.
fn is_author(subject: &Subject<'_>, sender: &User<'_>) -> bool {
    let author = subject.user.0.as_ref();
    author.is_some_and(|author| author.is_same(sender))
}
