//! Sorts runs by the write access of their senders, as the provider states it, and pins runs to the heads of pull
//! requests.
use crate::{
    domain::{
        delivery_progress::RunAnswer,
        run_request::{PendingRun, RunPlace},
        unavailable::ServiceUnavailable,
        write_access::WriteAccess,
    },
    peers::write_access::WriteAccessClient,
};

/// Runs, sorted by their senders' write access.
#[derive(Default)]
pub(super) struct CheckedSenders {
    /// Their senders may trigger, or nobody has to be asked.
    pub(super) granted: Vec<PendingRun>,
    /// What became of those that may not be created, or not now.
    pub(super) answers: Vec<(RunPlace, RunAnswer)>,
    /// Set if somebody who had to be asked is unavailable.
    pub(super) unavailable: Option<ServiceUnavailable>,
}

/// Asks the providers about the senders of these runs.
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
        let trigger = pending.request.trigger().to_owned();
        let explain = |reason: &str| format!("trigger {trigger:?}: {reason}");
        let answer = match access {
            WriteAccess::Granted { head, files } => {
                match pending.request.settle(head.as_ref(), files) {
                    Ok(()) => {
                        self.granted.push(pending);
                        return;
                    }
                    Err(reason) => RunAnswer::Refused(format!("trigger {trigger:?} {reason}")),
                }
            }
            WriteAccess::Denied(reason) => RunAnswer::Refused(explain(reason)),
            WriteAccess::Undecidable(reason) => RunAnswer::Failed(explain(reason)),
            WriteAccess::Deferred {
                reason,
                until,
                unavailable,
            } => {
                self.unavailable = unavailable.clone().or(self.unavailable.take());
                RunAnswer::Deferred {
                    reason: explain(reason),
                    until: *until,
                }
            }
        };
        self.answers.push((pending.place, answer));
    }
}
