//! Flow events as they are read, and their order.
use ck8s_types::{ProjectId, RunId};
use time::OffsetDateTime;

/// A place in the order of events, (xact, seq): after all events up to it, before all others.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct EventCursor(pub i64, pub i64);

impl EventCursor {
    /// Before the first event.
    pub(crate) const START: Self = Self(0, 0);
}

/// A flow event, as it was recorded.
#[derive(Clone, Debug)]
pub(crate) struct EventRecord {
    pub cursor: EventCursor,
    /// Its word; a newer program may have written one that this program does not know.
    pub kind: String,
    pub project: Option<ProjectId>,
    pub run: Option<RunId>,
    pub actor: String,
    pub message: String,
    /// Details for machines, as JSON; empty: none.
    pub data: String,
    pub recorded_at: OffsetDateTime,
}
