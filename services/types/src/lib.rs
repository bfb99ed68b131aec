#![doc = include_str!("../README.md")]
mod closed_set;
mod event;
mod id;
mod lease;
mod role;
mod run_reason;
mod run_state;
mod secret;
mod spec;
mod text;
mod time;
mod written_spec;

pub use closed_set::UnknownWord;
pub use event::EventKind;
pub use id::{
    DeliveryId, InstallationId, InstanceId, InvalidId, ProjectId, ReplicaId, RepositoryId,
    RequestId, RunId, SessionId, TokenId, UserId, WorkerId,
};
pub use lease::{Epoch, LeaseRef, Slot};
pub use role::ProjectRole;
pub use run_reason::RunReason;
pub use run_state::RunState;
pub use secret::MIN_MASKED_SECRET_BYTES;
pub use spec::{Invalid, RunSpec, RunTrigger, Timeouts};
pub use text::without_nul;
pub use time::{from_unix_ms, now_ms};
pub use written_spec::{is_cpu, is_egress, is_memory};
