//! The message that replicas send each other. It is a hint: losing one loses nothing, since every reader also sweeps.
use std::collections::BTreeMap;

use ck8s_types::{ProjectId, ReplicaId, WorkerId};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{Lane, PoolId, QueuePosition, QueuedRun},
    engine::ReplicaNotice,
};

/// Entries of each kind in one message (PostgreSQL takes 8,000 bytes); beyond it, the message says "look at
/// everything".
const MAX_ENTRIES: usize = 40;
/// Workers that one message asks to stop something; the reaper of their replica finds the rest.
const MAX_CANCELS: usize = 20;

/// What happened at one replica.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReplicaMessage {
    pub from: ReplicaId,
    /// (project, pool, rank, seq) of the first run that waits in each lane.
    opened: Vec<(ProjectId, i32, i16, i64)>,
    /// Projects with a free slot.
    pub freed: Vec<ProjectId>,
    /// Projects whose number of slots changed.
    pub slots: Vec<ProjectId>,
    /// Workers that have to stop something.
    pub cancel: Vec<WorkerId>,
    /// There is more than fits: look at everything.
    pub all: bool,
}

impl ReplicaMessage {
    fn new(from: ReplicaId) -> Self {
        Self {
            from,
            opened: Vec::new(),
            freed: Vec::new(),
            slots: Vec::new(),
            cancel: Vec::new(),
            all: false,
        }
    }

    /// A message that says "look at everything".
    pub(super) fn everything(from: ReplicaId) -> Self {
        Self {
            all: true,
            ..Self::new(from)
        }
    }

    /// Puts notices together, each once.
    pub(super) fn of(from: ReplicaId, notices: impl Iterator<Item = ReplicaNotice>) -> Self {
        let mut lanes: BTreeMap<Lane, QueuePosition> = BTreeMap::new();
        let mut message = Self::new(from);
        for notice in notices {
            match notice {
                ReplicaNotice::RunQueued(run) => {
                    let first = lanes.entry(run.lane).or_insert(run.position);
                    *first = (*first).min(run.position);
                }
                ReplicaNotice::SlotFreed(project) if !message.freed.contains(&project) => {
                    message.freed.push(project);
                }
                ReplicaNotice::SlotsChanged(project) if !message.slots.contains(&project) => {
                    message.slots.push(project);
                }
                ReplicaNotice::Cancel(worker) if !message.cancel.contains(&worker) => {
                    message.cancel.push(worker);
                }
                _ => {}
            }
        }
        message.all = [lanes.len(), message.freed.len(), message.slots.len()]
            .iter()
            .any(|entries| *entries > MAX_ENTRIES);
        if message.all {
            message.freed.clear();
            message.slots.clear();
        } else {
            message.opened = lanes
                .into_iter()
                .map(|(lane, at)| (lane.project, lane.pool.0, at.rank, at.seq))
                .collect();
        }
        message.cancel.truncate(MAX_CANCELS);
        message
    }

    /// The first run that waits in each lane.
    pub(super) fn queued(&self) -> impl Iterator<Item = QueuedRun> {
        self.opened
            .iter()
            .map(|&(project, pool, rank, seq)| QueuedRun {
                lane: Lane {
                    project,
                    pool: PoolId(pool),
                },
                position: QueuePosition { rank, seq },
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(project: ProjectId, seq: i64) -> ReplicaNotice {
        ReplicaNotice::RunQueued(QueuedRun {
            lane: Lane {
                project,
                pool: PoolId(1),
            },
            position: QueuePosition { rank: 0, seq },
        })
    }

    #[test]
    fn a_message_names_the_first_run_of_each_lane_and_each_project_once() {
        let (from, project) = (ReplicaId::new(), ProjectId::new());
        let notices = [
            queued(project, 7),
            queued(project, 3),
            ReplicaNotice::SlotFreed(project),
            ReplicaNotice::SlotFreed(project),
            ReplicaNotice::EventsWritten,
        ];
        let message = ReplicaMessage::of(from, notices.into_iter());
        let queued: Vec<i64> = message.queued().map(|run| run.position.seq).collect();
        assert_eq!(queued, [3]);
        assert_eq!(message.freed, [project]);
        assert!(!message.all);
    }

    #[test]
    fn a_message_that_would_be_too_long_says_look_at_everything() {
        let notices = (0..=MAX_ENTRIES).map(|_| queued(ProjectId::new(), 1));
        let message = ReplicaMessage::of(ReplicaId::new(), notices);
        assert!(message.all);
        assert_eq!(message.queued().count(), 0);
        let text = serde_json::to_string(&message).unwrap();
        assert!(text.len() < 8000);
    }
}
