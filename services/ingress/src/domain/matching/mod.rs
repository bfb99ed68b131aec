//! Which triggers an event matches, or, in words, which came closest.
mod mismatch;
mod rules;

use super::{
    delivery::MAX_REASON_CHARS,
    event::WebhookEvent,
    payload::Payload,
    repository::Repository,
    run_request::{RunRequest, RunRequests},
    text::sanitize,
    trigger::Trigger,
    triggered_run::TriggeredRun,
};
use mismatch::Mismatch;

/// The reason why an event without a repository creates no run.
const NO_REPOSITORY: &str = "an event without a repository: nothing can trigger";

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
