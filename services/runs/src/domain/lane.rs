//! A lane: one project's waiting runs that ask for the same labels.
use ck8s_types::ProjectId;

/// A set of labels that runs ask for, by its number in `runs.pools`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PoolId(pub i32);

/// What is claimed from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lane {
    /// Whose runs.
    pub project: ProjectId,
    /// What they ask for.
    pub pool: PoolId,
}

/// A place in a lane's order: lower goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The priority, negated.
    pub rank: i16,
    /// The order of arrival.
    pub seq: i64,
}

impl Place {
    /// Before every run.
    pub const START: Self = Self {
        rank: i16::MIN,
        seq: 0,
    };

    /// Just before this place.
    #[must_use]
    pub fn before(self) -> Self {
        Self {
            rank: self.rank,
            seq: self.seq.saturating_sub(1),
        }
    }
}
