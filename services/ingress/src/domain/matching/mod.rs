//! Which triggers an event matches, or, in words, which came closest.
mod mismatch;
mod rules;

use super::{
    delivery::MAX_REASON_CHARS,
    event::WebhookEvent,
    payload::Payload,
    repository::Repository,
    run_request::{RunRequest, RunRequests},
    schedule::SCHEDULE,
    text::sanitize,
    trigger::Trigger,
    triggered_run::TriggeredRun,
};
use mismatch::Mismatch;

/// The reason why an event without a repository creates no run.
const NO_REPOSITORY: &str = "an event without a repository: nothing can trigger";
/// The reason why a webhook with the event of a schedule creates no run.
const NOT_DUE: &str = "only ck8s itself says that a schedule is due";

/// Returns the runs that an event of this repository asks for: one of each trigger that it matches. `first_trigger` is
/// the one whose run has the delivery's own id; none: the first of them.
pub(crate) fn run_requests(
    repository: Option<&Repository>,
    event: &str,
    payload: &Payload<'_>,
    first_trigger: Option<&str>,
) -> RunRequests {
    let Some(repository) = repository else {
        return RunRequests::none(NO_REPOSITORY.to_owned());
    };
    if event == SCHEDULE {
        return RunRequests::none(NOT_DUE.to_owned());
    }
    let event = WebhookEvent {
        name: event,
        payload,
        repository: &repository.full_name,
        write_access: &repository.write_access,
    };
    let (runs, reason) = decide(&repository.triggers, event, |run| {
        RunRequest::new(repository, run)
    });
    let mut requests = RunRequests { runs, reason };
    requests.assign_ids(first_trigger);
    requests
}

/// Returns the run that a due time asks for: of the one trigger that it is the time of, which nobody has to be asked
/// about. Only what ck8s itself made may come here.
pub(crate) fn due_request(repository: &Repository, payload: &Payload<'_>) -> RunRequests {
    let name = payload
        .schedule
        .0
        .as_ref()
        .map_or("", |due| due.trigger.as_str());
    let is_its_own = |trigger: &&Trigger| trigger.name == name && trigger.schedule.is_some();
    let Some(trigger) = repository.triggers.iter().find(is_its_own) else {
        return RunRequests::none(format!("no trigger {name:?} with a schedule"));
    };
    let event = WebhookEvent {
        name: SCHEDULE,
        payload,
        repository: &repository.full_name,
        write_access: &repository.write_access,
    };
    match &trigger.spec {
        Ok(spec) => RunRequests {
            runs: vec![RunRequest::new(
                repository,
                TriggeredRun::due(trigger, spec, event),
            )],
            reason: String::new(),
        },
        Err(fault) => RunRequests::none(format!("trigger {name:?} cannot run: {fault}")),
    }
}

/// Returns what `make` makes of the run of each trigger that matches, in order, up to one that says stop. The text says
/// why there is none, or which of them cannot run; it is empty if there is nothing to say.
fn decide<R>(
    triggers: &[Trigger],
    event: WebhookEvent<'_>,
    make: impl Fn(TriggeredRun) -> R,
) -> (Vec<R>, String) {
    let (mut runs, mut faults) = (Vec::new(), Vec::new());
    let mut closest: Option<(&Trigger, Mismatch)> = None;
    for trigger in triggers {
        if let Some(mismatch) = rules::mismatch(trigger, event) {
            let is_closer = |(_, other): &(_, Mismatch)| mismatch.rank() > other.rank();
            if closest.as_ref().is_none_or(is_closer) {
                closest = Some((trigger, mismatch));
            }
            continue;
        }
        match &trigger.spec {
            Ok(spec) => runs.push(make(TriggeredRun::new(trigger, spec, event))),
            Err(fault) => faults.push(format!("trigger {:?} cannot run: {fault}", trigger.name)),
        }
        if trigger.stop {
            break;
        }
    }
    let reason = match faults.is_empty() {
        false => faults.join("; "),
        true if !runs.is_empty() => return (runs, String::new()),
        true => no_match(triggers, event, closest),
    };
    (runs, sanitize(&reason, MAX_REASON_CHARS))
}

/// Says why no trigger matches.
fn no_match(
    triggers: &[Trigger],
    event: WebhookEvent<'_>,
    closest: Option<(&Trigger, Mismatch)>,
) -> String {
    match closest.and_then(|(t, mismatch)| Some((t, mismatch.into_text()?))) {
        Some((trigger, text)) => format!("trigger {:?} {text}", trigger.name),
        None if triggers.is_empty() => "the repository has no triggers".to_owned(),
        None => format!("no trigger for event {:?}", event.name),
    }
}

#[cfg(test)]
mod tests;
