//! The run that a trigger asks for: what runs, with its concurrency group filled in, and the event behind it.
use ck8s_types::{RunSpec, RunTrigger};

use super::{concurrency_group, event::WebhookEvent, text::sanitize, trigger::Trigger};

/// Bounds a title, in characters: it lies in a run's row and in every list of runs.
const MAX_TITLE_CHARS: usize = 300;
/// Bounds branches, URLs and logins, in characters; longer ones are cut.
const MAX_FIELD_CHARS: usize = 1_000;
/// Bounds the arguments of a command, in characters: they become an environment variable of the workload.
const MAX_ARGUMENTS_CHARS: usize = 8 * 1024;

/// The run that a trigger asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TriggeredRun {
    /// The event behind the run.
    pub(crate) trigger: RunTrigger,
    /// What runs.
    pub(crate) spec: RunSpec,
    /// Whether a bot caused the event; the trigger allows bots then.
    pub(crate) is_by_bot: bool,
    /// The provider's id of the account that caused the event.
    pub(crate) sender_id: Option<u64>,
}

impl TriggeredRun {
    /// Builds the run that this trigger asks for when this event matches it.
    pub(super) fn new(trigger: &Trigger, spec: &RunSpec, event: WebhookEvent<'_>) -> Self {
        let run_trigger = run_trigger(trigger, event);
        let mut spec = spec.clone();
        if let Some(template) = &spec.concurrency_group {
            let group = concurrency_group::fill(template, &run_trigger, event);
            spec.concurrency_group = Some(group);
        }
        Self {
            trigger: run_trigger,
            spec,
            is_by_bot: event.payload.is_by_bot(),
            sender_id: event.payload.sender_id(),
        }
    }
}

fn field(text: &str) -> String {
    sanitize(text, MAX_FIELD_CHARS)
}

fn run_trigger(trigger: &Trigger, event: WebhookEvent<'_>) -> RunTrigger {
    let payload = event.payload;
    let mut built = RunTrigger {
        name: trigger.name.clone(),
        event: event.name.to_owned(),
        action: field(payload.action.as_str()),
        actor: field(payload.sender_login()),
        ..RunTrigger::default()
    };
    add_subject(&mut built, event);
    add_comment(&mut built, trigger, event);
    if built.git_ref.is_empty() {
        let git_ref = payload.git_ref.as_str();
        let short = git_ref
            .strip_prefix("refs/heads/")
            .or_else(|| git_ref.strip_prefix("refs/tags/"));
        built.git_ref = field(short.unwrap_or(git_ref));
    }
    if event.name == "push" {
        add_push(&mut built, event);
    }
    if built.url.is_empty() {
        let repository = payload.repository.0.as_ref();
        built.url = field(repository.map_or("", |r| r.html_url.as_str()));
    }
    built
}

/// Adds what an issue or a pull request says.
fn add_subject(built: &mut RunTrigger, event: WebhookEvent<'_>) {
    let Some(subject) = event.payload.subject() else {
        return;
    };
    built.number = subject
        .number
        .0
        .and_then(|n| i64::try_from(n).ok())
        .unwrap_or(0);
    built.title = sanitize(subject.title.as_str(), MAX_TITLE_CHARS);
    built.url = field(subject.html_url.as_str());
    if let Some(head) = &subject.head.0 {
        built.git_ref = field(head.name.as_str());
        built.commit_sha = field(head.sha.as_str());
    }
}

/// Adds the comment's address, and the arguments of its command.
fn add_comment(built: &mut RunTrigger, trigger: &Trigger, event: WebhookEvent<'_>) {
    let Some(comment) = &event.payload.comment.0 else {
        return;
    };
    built.url = field(comment.html_url.as_str());
    let id = comment.id.0.filter(|_| event.name == "issue_comment");
    built.comment_id = id.map(|id| id.to_string()).unwrap_or_default();
    if !trigger.comment.is_empty() {
        let body = comment.body.as_str().trim_start();
        let rest = body
            .strip_prefix(trigger.comment.as_str())
            .unwrap_or_default();
        built.arguments = sanitize(rest.trim(), MAX_ARGUMENTS_CHARS);
    }
}

/// Adds the commit that was pushed.
fn add_push(built: &mut RunTrigger, event: WebhookEvent<'_>) {
    let payload = event.payload;
    built.commit_sha = field(payload.after.as_str());
    built.url = field(payload.compare.as_str());
    if let Some(commit) = &payload.head_commit.0 {
        let first_line = commit.message.as_str().lines().next().unwrap_or_default();
        built.title = sanitize(first_line, MAX_TITLE_CHARS);
        built.commit_sha = field(commit.id.as_str());
        built.url = field(commit.url.as_str());
    }
}
