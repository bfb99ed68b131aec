//! What this worker holds, and the stream over which it is told.
mod session;
mod table;

pub(crate) use session::{Identity, Sessions};
pub(crate) use table::{Control, Granted, LeaseKey, LeaseTable};
