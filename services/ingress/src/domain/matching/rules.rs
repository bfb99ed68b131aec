//! The rules of one trigger: each compares one property of the event with what the trigger asks for.
use super::{
    super::{
        changed_files::{self, PathMatch},
        command,
        event::{WebhookEvent, WriteAccessSource},
        forks::ForkPolicy,
        head,
        origin::{self, Origin, OtherRepository},
        payload::{Payload, Subject},
        reference::Reference,
        sender_rights::{self, SenderRights},
        skip_markers,
        text::is_same_word,
        trigger::Trigger,
        wording::{any_of, quoted},
    },
    mismatch::Mismatch,
};

/// The event of GitHub's merge queue, and the account that acts for it.
const MERGE_GROUP: &str = "merge_group";
const MERGE_QUEUE: &str = "github-merge-queue[bot]";

/// Returns why the trigger does not match the event; none if it matches.
pub(super) fn mismatch(trigger: &Trigger, event: WebhookEvent<'_>) -> Option<Mismatch> {
    if trigger.event != event.name {
        return Some(Mismatch::Event);
    }
    action(trigger, event.payload)
        .or_else(|| label(trigger, event.payload))
        .or_else(|| comment(trigger, event.payload))
        .or_else(|| branch(trigger, event))
        .or_else(|| path(trigger, event))
        .or_else(|| skip(trigger, event))
        .or_else(|| fork(trigger, event))
        .or_else(|| sender(trigger, event))
}

fn action(trigger: &Trigger, payload: &Payload<'_>) -> Option<Mismatch> {
    let actual = payload.action.as_str();
    let by_default = [match trigger.event.as_str() {
        "pull_request_review" => "submitted".to_owned(),
        MERGE_GROUP => "checks_requested".to_owned(),
        _ => "created".to_owned(),
    }];
    // A command is given once: editing or deleting its comment does not give it again, unless the trigger says so.
    let expected: &[String] = match trigger.actions.as_slice() {
        // A group that left the queue has nothing to run on.
        [] if trigger.comment.is_empty() && trigger.event != MERGE_GROUP => return None,
        [] => &by_default,
        actions => actions,
    };
    (!expected.iter().any(|action| action == actual)).then(|| {
        Mismatch::Action(format!(
            "wants action {}, got {}",
            any_of(expected),
            quoted(actual)
        ))
    })
}

fn label(trigger: &Trigger, payload: &Payload<'_>) -> Option<Mismatch> {
    if trigger.labels.is_empty() {
        return None;
    }
    let actual: Vec<&str> = match &payload.label.0 {
        // A label that was removed does not count, unless the trigger names the action.
        Some(_) if payload.action.as_str() == "unlabeled" && trigger.actions.is_empty() => {
            Vec::new()
        }
        Some(label) => vec![label.name.as_str()],
        // The label itself was deleted, and GitHub does not name it.
        None if payload.action.as_str() == "unlabeled" => Vec::new(),
        None => payload.subject().map(labels).unwrap_or_default(),
    };
    let is_expected = |name: &str| {
        trigger
            .labels
            .iter()
            // To GitHub, upper and lower case are the same.
            .any(|label| is_same_word(label, name))
    };
    if actual.iter().any(|name| is_expected(name)) {
        return None;
    }
    let actual = match actual.as_slice() {
        [] => "none".to_owned(),
        names => any_of(&names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>()),
    };
    Some(Mismatch::Label(format!(
        "wants label {}, got {actual}",
        any_of(&trigger.labels)
    )))
}

fn labels<'a>(subject: &'a Subject<'_>) -> Vec<&'a str> {
    let labels = subject.labels.0.iter();
    labels
        .filter_map(|label| Some(label.0.as_ref()?.name.as_str()))
        .collect()
}

fn comment(trigger: &Trigger, payload: &Payload<'_>) -> Option<Mismatch> {
    if trigger.comment.is_empty() {
        return None;
    }
    let body = payload.comment().map_or("", |c| c.body.as_str());
    command::arguments(body, &trigger.comment)
        .is_none()
        .then(|| {
            Mismatch::Comment(format!(
                "wants a comment that starts with {:?}",
                trigger.comment
            ))
        })
}

/// Of a push, as in GitHub's own workflows, a trigger that names only branches is for no tag, and the other way round.
fn branch(trigger: &Trigger, event: WebhookEvent<'_>) -> Option<Mismatch> {
    let payload = event.payload;
    if event.name == "push" && payload.deleted.0 {
        return Some(Mismatch::Branch(format!(
            "has nothing to run on: {} was deleted",
            quoted(payload.git_ref.as_str())
        )));
    }
    let (branches, tags) = (&trigger.branches, &trigger.tags);
    if branches.is_empty() && tags.is_empty() {
        return None;
    }
    let wants = [("branch", branches), ("tag", tags)]
        .into_iter()
        .filter(|(_, globs)| !globs.is_empty())
        .map(|(kind, globs)| format!("{kind} {}", any_of(&globs.texts())))
        .collect::<Vec<_>>()
        .join(", or ");
    let default_branch = event.payload.default_branch();
    let (matches, got) = match (Reference::tag(event), Reference::target_branch(event)) {
        (Some(tag), _) if !tags.is_empty() => (tags.matches(tag), format!("got {}", quoted(tag))),
        (_, Some(branch)) if !branches.is_empty() => (
            branches.matches_branch(branch, default_branch),
            format!("got {}", quoted(branch)),
        ),
        (None, Some(branch)) => (false, format!("got branch {}", quoted(branch))),
        _ => (false, "the delivery has none".to_owned()),
    };
    (!matches).then(|| Mismatch::Branch(format!("wants {wants}, {got}")))
}

/// What the delivery does not list is asked for later, if there is somebody to ask.
fn path(trigger: &Trigger, event: WebhookEvent<'_>) -> Option<Mismatch> {
    if trigger.is_for_any_file(event) {
        return None;
    }
    let paths = &trigger.paths;
    let expected = || any_of(&paths.texts());
    let problem = match changed_files::check(paths, event) {
        PathMatch::Fits => return None,
        PathMatch::NoneFits(count) => changed_files::none_fits(paths, count),
        PathMatch::NoFiles => format!(
            "wants a changed file in {}, and this event changes none: leave out `paths`",
            expected()
        ),
        PathMatch::Unknown { .. } if event.has_provider() => return None,
        PathMatch::Unknown { listed, .. } => format!(
            "wants a changed file in {}: the delivery lists {}, and nobody can be asked for others without a credential: \
             add one",
            expected(),
            match listed {
                0 => "no files".to_owned(),
                count => format!("{count} files of which none fits"),
            }
        ),
    };
    Some(Mismatch::Path(problem))
}

fn skip(trigger: &Trigger, event: WebhookEvent<'_>) -> Option<Mismatch> {
    let commit = event.payload.head_commit.0.as_ref();
    let commit = commit.filter(|_| trigger.honours_skip_markers && event.name == "push")?;
    let marker = skip_markers::find(commit.message.as_str())?;
    Some(Mismatch::Skip(format!(
        "skips commits that ask for it, and the message says {marker:?}: push another commit, or let the trigger say \
         `skip_markers: false`"
    )))
}

/// What is not known of a pull request's head is asked for later, if there is somebody to ask.
fn fork(trigger: &Trigger, event: WebhookEvent<'_>) -> Option<Mismatch> {
    let rules = trigger.fork_rules(event);
    let other = match origin::of(event) {
        Origin::Own => return None,
        Origin::Other(other) => other,
        Origin::PullRequest(_) if event.has_provider() => return None,
        Origin::PullRequest(number) if rules.policy == ForkPolicy::Deny => {
            return Some(Mismatch::Fork(format!(
                "needs the head of pull request {number}, for which nobody can be asked without a credential: add one, \
                 or let the trigger say `forks: allow`"
            )));
        }
        Origin::PullRequest(_) => OtherRepository::default(),
    };
    if rules.is_command
        && let Err(problem) = head::check_commit(trigger, event)
    {
        return Some(Mismatch::Fork(problem));
    }
    rules.admit(&other).err().map(Mismatch::Fork)
}

fn sender(trigger: &Trigger, event: WebhookEvent<'_>) -> Option<Mismatch> {
    let Some(sender) = event.payload.sender() else {
        return Some(Mismatch::Sender(
            "needs to know who acted, and the delivery names nobody".to_owned(),
        ));
    };
    let login = quoted(sender.login.as_str());
    if let WriteAccessSource::Provider { actor } = event.write_access
        && actor.is(sender)
    {
        let problem = format!("is not for {login}, which is ck8s itself: nothing triggers itself");
        return Some(Mismatch::Sender(problem));
    }
    // Only somebody with write access can put a pull request into the queue, in whose name GitHub acts then.
    let is_merge_queue = event.name == MERGE_GROUP && sender.login.as_str() == MERGE_QUEUE;
    if sender.is_bot() && !is_merge_queue {
        return (!trigger.bots.any && !trigger.bots.names(sender))
            .then(|| Mismatch::Sender(format!("does not allow bots, and {login} is one")));
    }
    match (event.write_access, sender_rights::of(event, sender)) {
        (WriteAccessSource::Payload, SenderRights::Unknown(reason)) => {
            Some(Mismatch::Sender(reason))
        }
        _ => None,
    }
}
