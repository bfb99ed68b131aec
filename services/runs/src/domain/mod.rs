//! Types that more than one file needs, and pure decisions: no async, no SQL, no wire, no clock.
mod claim;
mod cluster;
mod event;
mod executor_domain;
mod fair_queue;
mod free_slots;
mod lane;
mod lease;
mod lease_stream;
mod log;
mod page;
mod reason_text;
mod repository;
mod run;
mod run_order;
mod run_token;
mod slot;
mod transition;
mod wait;
mod worker;

pub(crate) use claim::{ClaimResult, LaneClaim, NewLease, Placement};
pub(crate) use cluster::{Cluster, Clusters, CursorKey};
pub(crate) use event::{EventCursor, EventRecord};
pub(crate) use executor_domain::ExecutorDomain;
pub(crate) use fair_queue::{FairQueue, LaneProgress};
pub(crate) use free_slots::{FreeSlots, ProjectSlots, SlotAvailability};
pub(crate) use lane::{Lane, PoolId, QueuePosition, QueuedRun};
pub(crate) use lease::{
    Lease, LeaseHolder, LeasePhase, LeaseReturn, OrphanFilter, ReturnReason, ReturnedLease,
    RunningSince, TakenLease,
};
pub(crate) use lease_stream::{
    Grant, GrantPurpose, RevokeCause, ServerFrame, StreamEnd, WorkerFrame,
};
pub(crate) use log::{LogAppend, LogAppendResult, LogChunk, LogEnd, LogStream, NewLogChunk};
pub(crate) use page::Page;
pub(crate) use reason_text::{default_message, default_state};
pub(crate) use repository::{Repository, Trigger};
pub(crate) use run::{
    CreateResult, DeliveryRun, NewRun, Outcome, Run, RunEnd, RunFilter, RunSource, StartRun,
};
pub(crate) use run_order::RunOrder;
pub(crate) use run_token::RunToken;
pub(crate) use slot::{HeldSlot, ReleaseRefusal, SlotLease, SlotStatus};
pub(crate) use transition::{Transition, TransitionMessage};
pub(crate) use wait::{Explanation, QueueEntry, SuitableWorkers, WaitCause, WaitReason};
pub(crate) use worker::{Registration, StreamId, Worker, WorkerHello, WorkerState};
