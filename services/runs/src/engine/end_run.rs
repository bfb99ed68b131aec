//! Ends of runs that the server decides on, and what follows from them once they are committed.
use ck8s_types::{RunId, RunReason};
use sqlx::{Postgres, Transaction};

use super::{Engine, ReplicaNotice};
use crate::{
    domain::{Outcome, QueuedRun, RunEnd},
    error::RunsError,
    store::{groups, run_end},
};

/// The runs that a transaction has ended, and what follows from it after the commit.
#[derive(Default)]
pub(crate) struct EndedRuns {
    queued: Vec<QueuedRun>,
    ended: Vec<(RunEnd, RunReason)>,
}

impl EndedRuns {
    /// Ends a run in the caller's transaction. False: it had ended.
    pub(crate) async fn end(
        &mut self,
        tx: &mut Transaction<'_, Postgres>,
        run: RunId,
        outcome: &Outcome,
        actor: &str,
    ) -> Result<bool, RunsError> {
        let Some(ended) = run_end::end(tx, run, outcome, actor).await? else {
            return Ok(false);
        };
        if let (None, Some(group)) = (&ended.lease, &ended.group) {
            groups::lock(tx, ended.project, group).await?;
            self.queued
                .extend(groups::promote(tx, ended.project, group).await?);
        }
        self.ended.push((ended, outcome.reason));
        Ok(true)
    }

    /// Call it after the commit: tells workers to stop, and lets the next runs of the groups go on.
    pub(crate) fn announce(self, engine: &Engine) {
        {
            let mut scheduler = engine.scheduler();
            for run in self.queued {
                scheduler.run_queued(run);
                engine.notify_replicas(ReplicaNotice::RunQueued(run));
            }
            for (ended, reason) in self.ended {
                if let Some((lease, Some(worker))) = ended.lease
                    && !scheduler.cancel(&worker, lease, reason)
                {
                    engine.notify_replicas(ReplicaNotice::Cancel(worker));
                }
            }
        }
        engine.wake_dispatcher();
        engine.events_written();
    }
}
