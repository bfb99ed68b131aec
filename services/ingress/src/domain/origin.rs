//! Whose code a delivery is about: the repository's own, or that of a fork. What is not known to be our own is not.
use super::{
    event::WebhookEvent,
    payload::{Branch, HeadRepository, Member, Payload},
};

/// The events whose commit may be a fork's, without their saying so.
const EVENTS_OF_ANY_COMMIT: [&str; 7] = [
    "check_run",
    "check_suite",
    "commit_comment",
    "deployment",
    "deployment_status",
    "status",
    "workflow_job",
];

/// Whose code a delivery is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The repository's own, or no code at all.
    Own,
    /// Another repository's.
    Other(OtherRepository),
    /// That of the pull request of this number, whose head the delivery does not name.
    PullRequest(u64),
}

/// A repository that is not the one of the delivery.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct OtherRepository {
    /// The provider's id; none: it is gone or not known.
    pub(crate) id: Option<u64>,
    /// owner/name; empty: it is gone or not known.
    pub(crate) full_name: String,
}

impl OtherRepository {
    /// Returns its name for people.
    pub(crate) fn name(&self) -> &str {
        match self.full_name.as_str() {
            "" => "unknown",
            name => name,
        }
    }
}

/// Returns whose code a delivery is about.
pub(crate) fn of(event: WebhookEvent<'_>) -> Origin {
    let payload = event.payload;
    if let Some(pull_request) = &payload.pull_request.0 {
        return match &pull_request.head.0 {
            Some(head) => of_head(event, head),
            None => Origin::Other(OtherRepository::default()),
        };
    }
    if let Some(issue) = &payload.issue.0
        && issue.pull_request.0.is_some()
    {
        return issue.number.0.map_or_else(
            || Origin::Other(OtherRepository::default()),
            Origin::PullRequest,
        );
    }
    if event.name == "workflow_run" {
        let run = payload.workflow_run.0.as_ref();
        return match run.map(|run| &run.head_repository) {
            Some(Member::Object(repository)) => of_repository(payload, repository),
            _ => Origin::Other(OtherRepository::default()),
        };
    }
    match EVENTS_OF_ANY_COMMIT.contains(&event.name) {
        true => Origin::Other(OtherRepository::default()),
        false => Origin::Own,
    }
}

fn of_head(event: WebhookEvent<'_>, head: &Branch<'_>) -> Origin {
    match &head.repo {
        Member::Object(repository) => of_repository(event.payload, repository),
        Member::Null => Origin::Other(OtherRepository::default()),
        // GitHub names the repository of every head, and writes null for one that is gone. A head without any word of a
        // repository, an owner or a label is one of ours.
        Member::Missing if is_ours(event, head) => Origin::Own,
        Member::Missing => Origin::Other(OtherRepository::default()),
    }
}

fn of_repository(payload: &Payload<'_>, repository: &HeadRepository<'_>) -> Origin {
    if repository.id.0.is_some() && repository.id.0 == payload.repository_id() {
        return Origin::Own;
    }
    Origin::Other(OtherRepository {
        id: repository.id.0,
        full_name: repository.full_name.as_str().to_owned(),
    })
}

fn is_ours(event: WebhookEvent<'_>, head: &Branch<'_>) -> bool {
    let (owner, _) = event.repository.split_once('/').unwrap_or_default();
    let label = head.label.as_str().split_once(':').map(|(owner, _)| owner);
    let user = head.user.0.as_ref().map(|user| user.login.as_str());
    [label, user]
        .into_iter()
        .flatten()
        .all(|name| name.eq_ignore_ascii_case(owner))
}
