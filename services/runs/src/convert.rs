//! From the domain's and the store's types to the contract's.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{
    convert::{reason_to_pb, spec_to_pb, state_to_pb, timestamp, trigger_to_pb},
    page, status,
};
use ck8s_types::{Epoch, RunId};
use tonic::Status;

use crate::{
    domain::Run,
    store::{
        events::{Cursor, Event},
        slots::SlotRow,
        workers::WorkerRow,
    },
};

impl From<Run> for pb::Run {
    fn from(run: Run) -> Self {
        Self {
            id: run.id.to_string(),
            project_id: run.project.to_string(),
            repository_id: run.repository.map(|id| id.to_string()).unwrap_or_default(),
            repository_name: run.repository_name,
            delivery_id: run.delivery.map(|id| id.to_string()).unwrap_or_default(),
            state: state_to_pb(run.state).into(),
            reason: run.reason.map_or(0, |r| reason_to_pb(r).into()),
            message: run.message,
            trigger: Some(trigger_to_pb(run.trigger)),
            spec: Some(spec_to_pb(run.spec)),
            attempt: run.attempt,
            slot: run.slot.unwrap_or(0),
            worker_id: run.worker.unwrap_or_default(),
            exit_code: run.exit_code,
            workload: run.workload,
            create_time: Some(timestamp(run.created_at)),
            start_time: run.started_at.map(timestamp),
            finish_time: run.finished_at.map(timestamp),
            retry_of: run.retry_of.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

impl From<Event> for pb::FlowEvent {
    fn from(event: Event) -> Self {
        Self {
            cursor: page::encode(&event.cursor),
            kind: event.kind,
            project_id: event.project.map(|id| id.to_string()).unwrap_or_default(),
            run_id: event.run.map(|id| id.to_string()).unwrap_or_default(),
            actor: event.actor,
            message: event.message,
            data_json: event.data,
            time: Some(timestamp(event.recorded_at)),
        }
    }
}

impl From<SlotRow> for pb::Slot {
    fn from(slot: SlotRow) -> Self {
        let free = Self {
            project_id: slot.project.to_string(),
            number: slot.number,
            state: pb::SlotState::Free.into(),
            ..Self::default()
        };
        let Some(lease) = slot.lease else { return free };
        let state = if lease.releasing {
            pb::SlotState::Releasing
        } else {
            pb::SlotState::Leased
        };
        Self {
            state: state.into(),
            run_id: lease.run.to_string(),
            worker_id: lease.worker.unwrap_or_default(),
            lease_epoch: lease.epoch,
            lease_until: lease.lease_until.map(timestamp),
            lease_time: Some(timestamp(lease.leased_at)),
            ..free
        }
    }
}

impl From<WorkerRow> for pb::Worker {
    fn from(worker: WorkerRow) -> Self {
        let state = match (worker.connected, worker.draining) {
            (false, _) => pb::WorkerState::Disconnected,
            (true, true) => pb::WorkerState::Draining,
            (true, false) => pb::WorkerState::Connected,
        };
        Self {
            id: worker.id,
            instance_id: worker.instance.to_string(),
            executor: worker.executor,
            labels: worker.labels,
            capacity: worker.capacity,
            leases: i32::try_from(worker.leases).unwrap_or(i32::MAX),
            state: state.into(),
            seen_time: Some(timestamp(worker.seen_at)),
            version: worker.version,
        }
    }
}

/// The lease's name on the wire.
pub fn lease_ref(run: RunId, epoch: Epoch) -> pb::LeaseRef {
    pb::LeaseRef {
        run_id: run.to_string(),
        epoch: epoch.0,
    }
}

/// Reads a lease's name.
pub fn parse_lease_ref(lease: Option<&pb::LeaseRef>) -> Result<(RunId, Epoch), Status> {
    let lease = lease.ok_or_else(|| status::invalid("lease", "is missing"))?;
    Ok((
        ck8s_rpc::convert::id("lease.run_id", &lease.run_id)?,
        Epoch(lease.epoch),
    ))
}

/// Reads a cursor that may be left out.
pub fn cursor(text: &str) -> Result<Option<Cursor>, Status> {
    page::decode("cursor", text)
}
