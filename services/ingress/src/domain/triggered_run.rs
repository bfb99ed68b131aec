//! The run that a trigger asks for: what runs, with its concurrency group filled in, and the event behind it.
use ck8s_types::{RunSpec, RunTrigger};

use super::{
    changed_files::{self, ChangedFiles, FilesQuestion, PathMatch},
    command,
    concurrency_group::{self, GroupValues},
    event::WebhookEvent,
    forks::Secrets,
    head::{HeadOwner, HeadQuestion, PullRequestHead},
    origin::{self, Origin, OtherRepository},
    payload::{Commit, MergeGroup, Release},
    reference::Reference,
    sender_rights::{self, SenderRights},
    text::sanitize,
    trigger::Trigger,
};

/// Bounds a title, in characters: it is part of a run's row and of every list of runs.
const MAX_TITLE_CHARS: usize = 300;
/// Bounds branches, URLs and logins, in characters; longer ones are cut.
const MAX_FIELD_CHARS: usize = 1_000;
/// Bounds the arguments of a command, in characters: they become an environment variable of the workload.
const MAX_ARGUMENTS_CHARS: usize = 8 * 1024;
/// The digits of a commit's whole name: of SHA-1 and of SHA-256.
const COMMIT_DIGITS: [usize; 2] = [40, 64];
/// How many digits of a commit people are shown.
const SHOWN_COMMIT_DIGITS: usize = 7;

/// The run that a trigger asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TriggeredRun {
    /// The event behind the run.
    pub(crate) trigger: RunTrigger,
    /// What runs.
    pub(crate) spec: RunSpec,
    /// Whether the provider must say that the sender may write: neither the event nor the trigger makes it needless.
    pub(crate) needs_write_access: bool,
    /// The provider's id of the account that caused the event.
    pub(crate) sender_id: Option<u64>,
    /// The pull request whose head must be asked for. Until then the concurrency group is a template.
    pub(crate) head: Option<HeadQuestion>,
    /// The change whose files must be asked for.
    pub(crate) files: Option<Box<FilesQuestion>>,
}

impl TriggeredRun {
    /// Builds the run that this trigger asks for when this event matches it.
    pub(super) fn new(trigger: &Trigger, spec: &RunSpec, event: WebhookEvent<'_>) -> Self {
        let mut run = Self {
            trigger: run_trigger(trigger, event),
            spec: spec.clone(),
            needs_write_access: needs_write_access(event),
            sender_id: event.payload.sender().and_then(|sender| sender.id.0),
            head: None,
            files: None,
        };
        run.ask_for_files(trigger, event);
        let other = match origin::of(event) {
            Origin::Own => None,
            Origin::Other(other) => Some(other),
            Origin::PullRequest(number) if event.has_provider() => {
                run.head = Some(HeadQuestion::new(number, trigger, event));
                return run;
            }
            Origin::PullRequest(_) => Some(OtherRepository::default()),
        };
        if let Some(other) = &other {
            // Matching has admitted it; what it has not is denied.
            let secrets = trigger.fork_rules(event).admit(other);
            run.belongs_to(other, secrets.unwrap_or(Secrets::Withheld));
        }
        run.fill_group(GroupValues {
            repository: event.repository,
            event: event.name,
            number: run.trigger.number,
            reference: Reference::of(event),
            branch: Reference::target_branch(event).unwrap_or_default(),
            other: other.as_ref(),
        });
        run
    }

    /// Notes which files must be asked for, if the delivery does not say enough.
    fn ask_for_files(&mut self, trigger: &Trigger, event: WebhookEvent<'_>) {
        if trigger.is_for_any_file(event) {
            return;
        }
        let PathMatch::Unknown { listed, change } = changed_files::check(&trigger.paths, event)
        else {
            return;
        };
        match change {
            Some(change) => {
                self.files = Some(Box::new(FilesQuestion {
                    change,
                    paths: trigger.paths.clone(),
                }));
            }
            None => {
                self.trigger.note = field(&changed_files::unknown_files(&trigger.paths, listed));
            }
        }
    }

    /// Takes the answer to which files were changed, or returns why nothing runs.
    pub(crate) fn check_files(&mut self, files: &ChangedFiles) -> Result<(), String> {
        if let Some(question) = self.files.take() {
            self.trigger.note = field(&question.judge(files)?);
        }
        Ok(())
    }

    /// Builds the run that a due time asks for: nobody caused it.
    pub(super) fn due(trigger: &Trigger, spec: &RunSpec, event: WebhookEvent<'_>) -> Self {
        let mut run = Self::new(trigger, spec, event);
        run.needs_write_access = false;
        run.files = None;
        let due = event.payload.schedule.0.as_ref();
        let due = due.map_or("", |time| time.due.as_str());
        run.trigger.title = sanitize(&format!("Due {due}"), MAX_TITLE_CHARS);
        run
    }

    /// Pins the run to a pull request's head that was asked for, or returns why nothing runs on it.
    pub(super) fn pin(
        &mut self,
        question: &HeadQuestion,
        head: &PullRequestHead,
        repository: &str,
    ) -> Result<(), String> {
        let other = match question.judge(head)? {
            HeadOwner::Own => None,
            HeadOwner::Other(other, secrets) => {
                self.belongs_to(&other, secrets);
                Some(other)
            }
        };
        self.trigger.commit_sha = field(&head.commit);
        self.trigger.git_ref = field(&head.branch);
        let event = self.trigger.event.clone();
        self.fill_group(GroupValues {
            repository,
            event: &event,
            number: self.trigger.number,
            reference: Reference::Branch(&head.branch),
            branch: &head.base_branch,
            other: other.as_ref(),
        });
        Ok(())
    }

    /// Records that the code is another repository's.
    fn belongs_to(&mut self, other: &OtherRepository, secrets: Secrets) {
        self.trigger.head_repository = field(other.name());
        self.trigger.secrets_withheld = secrets == Secrets::Withheld;
    }

    fn fill_group(&mut self, values: GroupValues<'_>) {
        let template = self.spec.concurrency_group.take();
        self.spec.concurrency_group =
            template.map(|template| concurrency_group::fill(&template, values));
    }
}

/// A bot got here because the trigger allows it.
fn needs_write_access(event: WebhookEvent<'_>) -> bool {
    let sender = event.payload.sender();
    sender.is_none_or(|sender| {
        !sender.is_bot() && sender_rights::of(event, sender) != SenderRights::Write
    })
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
    built.git_ref = field(Reference::of(event).name());
    add_subject(&mut built, event);
    add_comment(&mut built, trigger, event);
    if event.name == "push" {
        add_push(&mut built, event);
    }
    if let Some(release) = &payload.release.0 {
        add_release(&mut built, release);
    }
    if let Some(group) = &payload.merge_group.0 {
        add_merge_group(&mut built, group);
    }
    if let Some(run) = &payload.workflow_run.0 {
        built.commit_sha = field(run.head_sha.as_str());
        built.title = sanitize(run.display_title.as_str(), MAX_TITLE_CHARS);
        built.url = field(run.html_url.as_str());
    }
    if built.url.is_empty() {
        let repository = payload.repository.0.as_ref();
        built.url = field(repository.map_or("", |r| r.html_url.as_str()));
    }
    built
}

/// Adds what an issue, a pull request or a discussion says.
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
        built.commit_sha = field(head.sha.as_str());
    }
}

/// Adds the comment's address, and the arguments of its command.
fn add_comment(built: &mut RunTrigger, trigger: &Trigger, event: WebhookEvent<'_>) {
    let Some(comment) = event.payload.comment() else {
        return;
    };
    built.url = field(comment.html_url.as_str());
    let id = comment.id.0.filter(|_| event.name == "issue_comment");
    built.comment_id = id.map(|id| id.to_string()).unwrap_or_default();
    if !trigger.comment.is_empty() {
        let rest = command::arguments(comment.body.as_str(), &trigger.comment);
        built.arguments = sanitize(rest.unwrap_or_default().trim(), MAX_ARGUMENTS_CHARS);
    }
    if event.name == "commit_comment" {
        let commit = comment.commit_id.as_str();
        built.commit_sha = field(commit);
        built.title = format!(
            "Commit {}",
            field(commit.get(..SHOWN_COMMIT_DIGITS).unwrap_or(commit))
        );
    }
}

/// Adds the release's name, or that of its tag, and the commit if it is named.
fn add_release(built: &mut RunTrigger, release: &Release<'_>) {
    built.title = sanitize(
        match release.name.as_str() {
            "" => release.tag_name.as_str(),
            name => name,
        },
        MAX_TITLE_CHARS,
    );
    built.url = field(release.html_url.as_str());
    let target = release.target_commitish.as_str();
    let is_commit = COMMIT_DIGITS.contains(&target.len())
        && target.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit {
        built.commit_sha = field(target);
    }
}

/// Adds the commit that the merge queue asks about.
fn add_merge_group(built: &mut RunTrigger, group: &MergeGroup<'_>) {
    built.commit_sha = field(group.head_sha.as_str());
    if let Some(commit) = &group.head_commit.0 {
        built.title = first_line(commit);
    }
}

/// Adds the commit that was pushed.
fn add_push(built: &mut RunTrigger, event: WebhookEvent<'_>) {
    let payload = event.payload;
    let repository = payload.repository.0.as_ref();
    let pushed_at = repository.and_then(|repository| repository.pushed_at.0);
    built.pushed_at = pushed_at
        .and_then(|seconds| seconds.try_into().ok())
        .unwrap_or(0);
    built.before_sha = field(payload.before.as_str());
    built.commit_sha = field(payload.after.as_str());
    built.url = field(payload.compare.as_str());
    if let Some(commit) = &payload.head_commit.0 {
        built.title = first_line(commit);
        built.commit_sha = field(commit.id.as_str());
        built.url = field(commit.url.as_str());
    }
}

fn first_line(commit: &Commit<'_>) -> String {
    let line = commit.message.as_str().lines().next();
    sanitize(line.unwrap_or_default(), MAX_TITLE_CHARS)
}
