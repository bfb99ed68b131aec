//! Lanes: the waiting runs of one project that ask for the same labels, and the order in which they wait.
use ck8s_types::ProjectId;

/// A set of labels that runs ask for, by its number in `runs.pools`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct PoolId(pub i32);

/// The waiting runs of one project that ask for the same labels: what a claim reads from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Lane {
    /// The project of the runs.
    pub project: ProjectId,
    /// The labels that they ask for.
    pub pool: PoolId,
}

/// A run's position in its lane: the lower one goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct QueuePosition {
    /// The negated priority.
    pub rank: i16,
    /// The order of arrival.
    pub seq: i64,
}

impl QueuePosition {
    /// The position before every run.
    pub(crate) const START: Self = Self {
        rank: i16::MIN,
        seq: 0,
    };

    /// Returns the position just before this one.
    #[must_use]
    pub(crate) fn before(self) -> Self {
        Self {
            rank: self.rank,
            seq: self.seq.saturating_sub(1),
        }
    }
}

/// A run that waits: its lane and its position there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueuedRun {
    pub lane: Lane,
    pub position: QueuePosition,
}
