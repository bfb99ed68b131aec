//! Ids, value objects and closed sets that every crate shares; knows no async, no SQL, no wire.
mod id;
mod role;
mod run;
mod spec;
mod time;

pub use id::{
    DeliveryId, InstanceId, InvalidId, ProjectId, ReplicaId, RepositoryId, RequestId, RunId,
    SessionId, TokenId, UserId, WorkerId,
};
pub use role::ProjectRole;
pub use run::{Epoch, LeaseRef, RunReason, RunState, Slot, UnknownWord};
pub use spec::{Invalid, RunSpec, RunTrigger, Timeouts};
pub use time::{from_unix_ms, now_ms};
