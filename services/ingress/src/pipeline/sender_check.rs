//! Sorts deliveries by the write access of their senders, as the provider states it, and pins runs to the heads of pull
//! requests.
use crate::{
    domain::{
        delivery::{DeliveryOutcome, MAX_REASON_CHARS, Postponement},
        run_request::PendingRun,
        text::sanitize,
        unavailable::ServiceUnavailable,
        write_access::WriteAccess,
    },
    peers::write_access::WriteAccessClient,
};

/// Deliveries, sorted by their senders' write access.
#[derive(Default)]
pub(super) struct CheckedSenders {
    /// Their senders may trigger, or nobody has to be asked.
    pub(super) granted: Vec<PendingRun>,
    /// Their senders may not trigger, or it cannot be decided.
    pub(super) refused: Vec<DeliveryOutcome>,
    /// The provider does not answer now.
    pub(super) postponed: Vec<Postponement>,
    /// Set if somebody who had to be asked is unavailable.
    pub(super) unavailable: Option<ServiceUnavailable>,
}

/// Asks the providers about the senders of these deliveries.
pub(super) async fn check(client: &WriteAccessClient, pending: Vec<PendingRun>) -> CheckedSenders {
    let questions = pending.iter().filter_map(|p| {
        let question = p.request.question.clone()?;
        Some((p.request.repository_id, question))
    });
    let access = client.check_all(questions).await;
    let mut checked = CheckedSenders::default();
    for pending in pending {
        let Some(question) = pending.request.question.clone() else {
            checked.granted.push(pending);
            continue;
        };
        match access.get(&(pending.request.repository_id, question)) {
            Some(Ok(access)) => checked.add(pending, access),
            Some(Err(unavailable)) => checked.unavailable = Some(unavailable.clone()),
            None => {}
        }
    }
    checked
}

impl CheckedSenders {
    fn add(&mut self, mut pending: PendingRun, access: &WriteAccess) {
        let id = pending.delivery_id;
        let trigger = pending.request.run.trigger.name.clone();
        let explain = |reason: &str| format!("trigger {trigger:?}: {reason}");
        match access {
            WriteAccess::Granted { head } => match pending.request.settle(head.as_ref()) {
                Ok(()) => self.granted.push(pending),
                Err(reason) => {
                    let reason = format!("trigger {trigger:?} {reason}");
                    self.refused.push(DeliveryOutcome::ignored(id, &reason));
                }
            },
            WriteAccess::Denied(reason) => {
                let outcome = DeliveryOutcome::ignored(id, &explain(reason));
                self.refused.push(outcome);
            }
            WriteAccess::Undecidable(reason) => {
                let outcome = DeliveryOutcome::failed(id, &explain(reason));
                self.refused.push(outcome);
            }
            WriteAccess::Deferred {
                reason,
                until,
                unavailable,
            } => {
                self.postponed.push(Postponement {
                    id,
                    reason: sanitize(&explain(reason), MAX_REASON_CHARS),
                    until: *until,
                });
                self.unavailable = unavailable.clone().or(self.unavailable.take());
            }
        }
    }
}
