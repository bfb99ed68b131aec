//! The leases that this worker holds, and the stream that grants, renews and ends them.
mod session;
mod stream;
mod table;

pub(crate) use session::WorkerIdentity;
pub(crate) use stream::LeaseStream;
pub(crate) use table::{GrantOutcome, LeaseTable};
