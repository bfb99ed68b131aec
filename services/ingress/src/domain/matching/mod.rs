//! Which trigger an event matches, or, in words, which came closest.
mod mismatch;
mod rules;
mod wording;

use super::{
    delivery::MAX_REASON_CHARS, event::WebhookEvent, payload::Payload, repository::Repository,
    run_request::RunRequest, text::sanitize, trigger::Trigger, triggered_run::TriggeredRun,
};
use mismatch::Mismatch;

/// The reason why an event without a repository creates no run.
const NO_REPOSITORY: &str = "an event without a repository: nothing can trigger";

/// Returns the run that an event of this repository asks for, or why it asks for none.
pub(crate) fn run_request(
    repository: Option<&Repository>,
    event: &str,
    payload: &Payload<'_>,
) -> Result<RunRequest, String> {
    let repository = repository.ok_or_else(|| NO_REPOSITORY.to_owned())?;
    let event = WebhookEvent {
        name: event,
        payload,
        repository: &repository.full_name,
        write_access: &repository.write_access,
    };
    match decide(&repository.triggers, event) {
        Decision::Run(run) => Ok(RunRequest::new(repository, *run)),
        Decision::Ignored(reason) => Err(reason),
    }
}

/// What an event leads to.
#[derive(Debug)]
enum Decision {
    /// A run.
    Run(Box<TriggeredRun>),
    /// No run, for this reason.
    Ignored(String),
}

/// Returns the run of the first trigger that matches, or why none does.
fn decide(triggers: &[Trigger], event: WebhookEvent<'_>) -> Decision {
    let mut closest: Option<(&Trigger, Mismatch)> = None;
    for trigger in triggers {
        match rules::mismatch(trigger, event) {
            None => return run(trigger, event),
            Some(mismatch) => {
                if closest
                    .as_ref()
                    .is_none_or(|(_, c)| mismatch.rank() > c.rank())
                {
                    closest = Some((trigger, mismatch));
                }
            }
        }
    }
    let reason = match closest.and_then(|(t, mismatch)| Some((t, mismatch.into_text()?))) {
        Some((trigger, text)) => format!("trigger {:?} {text}", trigger.name),
        None if triggers.is_empty() => "the repository has no triggers".to_owned(),
        None => format!("no trigger for event {:?}", event.name),
    };
    ignored(&reason)
}

fn run(trigger: &Trigger, event: WebhookEvent<'_>) -> Decision {
    match &trigger.spec {
        Ok(spec) => Decision::Run(Box::new(TriggeredRun::new(trigger, spec, event))),
        Err(fault) => ignored(&format!("trigger {:?} cannot run: {fault}", trigger.name)),
    }
}

fn ignored(reason: &str) -> Decision {
    Decision::Ignored(sanitize(reason, MAX_REASON_CHARS))
}

#[cfg(test)]
mod tests;
