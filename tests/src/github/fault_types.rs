//! The faults and the holds that a test switches on.
use std::time::Duration;

/// A fault.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Responds with this status.
    Status(u16),
    /// Responds as if the token's hourly quota were spent, until so much later.
    Spent(Duration),
    /// Responds with a secondary limit: this status, and the seconds to wait if any.
    Secondary(u16, Option<u64>),
    /// Responds with this status, and repeats the request's token and body in the message.
    Echo(u16),
    /// Responds so much later.
    Delay(Duration),
    /// Cuts the connection in the middle of the response.
    Cut,
}

/// A fault, and the requests that it hits.
pub(crate) struct Switched {
    /// The end of the path of the requests that it hits.
    pub(super) path: String,
    pub(super) fault: Fault,
    /// How many requests it still hits.
    pub(super) left: usize,
}

/// The moment at which a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before GitHub has handled it.
    Before,
    /// After GitHub has handled it, before the response.
    After,
}

/// A request to hold.
pub(crate) struct Hold {
    /// How many requests pass before it.
    pub(super) before: usize,
    pub(super) moment: Moment,
}
