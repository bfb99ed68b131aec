//! Between the types of the domain and those of the contract.
mod events;

use ck8s_proto::{repositories::v1 as repositories, runs::v1 as pb};
use ck8s_rpc::{
    convert::{
        id, optional_id, reason_to_pb, spec_from_pb, spec_to_pb, state_from_pb, state_to_pb,
        timestamp, trigger_from_pb, trigger_to_pb,
    },
    status,
};
use ck8s_types::{Epoch, Invalid, LeaseRef, RunSpec, RunState, Slot};
use tonic::Status;

pub(crate) use self::events::event_to_pb;
use crate::{
    domain::{
        DeliveryRun, Explanation, Grant, GrantPurpose, LogAppend, LogAppendResult, LogChunk,
        LogStream, Repository, Run, RunSource, ServerFrame, SlotStatus, StartRun, Trigger,
        WaitCause, WaitReason, Worker, WorkerState,
    },
    error::RunsError,
};

/// How long a workload may take to end by itself when it is canceled, in milliseconds.
const CANCEL_GRACE_MS: i64 = 2_000;
/// Bounds what a worker says of a log's source with each piece: an offset, a time and a number.
const MAX_LOG_POSITION_BYTES: usize = 200;
/// The version of the lease protocol that this server speaks.
pub(crate) const PROTOCOL_VERSION: i32 = 1;

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
            slot: run.slot.map_or(0, Slot::number),
            worker_id: run.worker.map(String::from).unwrap_or_default(),
            exit_code: run.exit_code,
            workload: run.workload,
            create_time: Some(timestamp(run.created_at)),
            start_time: run.started_at.map(timestamp),
            finish_time: run.finished_at.map(timestamp),
            retry_of: run.retry_of.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

impl From<SlotStatus> for pb::Slot {
    fn from(slot: SlotStatus) -> Self {
        let free = Self {
            project_id: slot.project.to_string(),
            number: slot.slot.number(),
            state: pb::SlotState::Free.into(),
            ..Self::default()
        };
        let Some(lease) = slot.lease else { return free };
        let state = if lease.is_releasing {
            pb::SlotState::Releasing
        } else {
            pb::SlotState::Leased
        };
        Self {
            state: state.into(),
            run_id: lease.lease.run_id.to_string(),
            worker_id: lease.worker.map(String::from).unwrap_or_default(),
            lease_epoch: lease.lease.epoch.0,
            lease_until: lease.lease_until.map(timestamp),
            lease_time: Some(timestamp(lease.leased_at)),
            ..free
        }
    }
}

impl From<Worker> for pb::Worker {
    fn from(worker: Worker) -> Self {
        let state = match worker.state {
            WorkerState::Connected => pb::WorkerState::Connected,
            WorkerState::Draining => pb::WorkerState::Draining,
            WorkerState::Disconnected => pb::WorkerState::Disconnected,
        };
        Self {
            id: String::from(worker.id),
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

impl From<WaitCause> for pb::WaitCause {
    fn from(cause: WaitCause) -> Self {
        match cause {
            WaitCause::Group => Self::Group,
            WaitCause::NoSlot => Self::NoSlot,
            WaitCause::NoWorker => Self::NoWorker,
            WaitCause::WorkersFull => Self::WorkersFull,
            WaitCause::Priority => Self::Priority,
            WaitCause::Next => Self::Next,
            WaitCause::Takeover => Self::Takeover,
            WaitCause::Starting => Self::Starting,
        }
    }
}

impl From<WaitReason> for pb::WaitReason {
    fn from(reason: WaitReason) -> Self {
        Self {
            cause: pb::WaitCause::from(reason.cause).into(),
            message: reason.message,
            slots: reason.slots.into_iter().map(Into::into).collect(),
            run_ids: reason.runs.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<Explanation> for pb::ExplainRunResponse {
    fn from(explanation: Explanation) -> Self {
        Self {
            summary: explanation.summary(),
            run: Some(explanation.run.into()),
            reasons: explanation.reasons.into_iter().map(Into::into).collect(),
            ahead: explanation.ahead,
        }
    }
}

impl TryFrom<pb::NewRun> for DeliveryRun {
    type Error = Status;

    fn try_from(new: pb::NewRun) -> Result<Self, Status> {
        let spec = storable_spec(new.spec.unwrap_or_default());
        let mut trigger = trigger_from_pb(new.trigger.unwrap_or_default());
        trigger.strip_nul();
        Ok(Self {
            delivery: id("delivery_id", &new.delivery_id)?,
            project: id("project_id", &new.project_id)?,
            repository: optional_id("repository_id", &new.repository_id)?,
            repository_name: storable("repository_name", new.repository_name)?,
            trigger,
            spec: spec.map_err(|f| ck8s_rpc::convert::invalid(&f))?,
            id_of_trigger: new.id_of_trigger,
        })
    }
}

/// Reads a spec and refuses the texts that cannot be stored.
fn storable_spec(spec: pb::RunSpec) -> Result<RunSpec, Invalid> {
    let spec = spec_from_pb(spec)?;
    for label in &spec.labels {
        check_storable("spec.labels", label)?;
    }
    for host in &spec.egress {
        check_storable("spec.egress", host)?;
    }
    check_storable("spec.cpu", &spec.cpu)?;
    check_storable("spec.memory", &spec.memory)?;
    let group = spec.concurrency_group.as_deref();
    check_storable("spec.concurrency_group", group.unwrap_or_default())?;
    Ok(spec)
}

/// Reads a text that can be stored.
pub(crate) fn storable(field: &'static str, text: String) -> Result<String, Status> {
    match check_storable(field, &text) {
        Ok(()) => Ok(text),
        Err(fault) => Err(ck8s_rpc::convert::invalid(&fault)),
    }
}

/// PostgreSQL stores no NUL character.
fn check_storable(field: &'static str, text: &str) -> Result<(), Invalid> {
    if text.contains('\0') {
        let problem = "holds a NUL character".to_owned();
        return Err(Invalid { field, problem });
    }
    Ok(())
}

impl TryFrom<pb::StartRunRequest> for StartRun {
    type Error = RunsError;

    fn try_from(request: pb::StartRunRequest) -> Result<Self, RunsError> {
        let source = match (request.trigger, request.spec) {
            (trigger, Some(spec)) if trigger.is_empty() => {
                let spec = storable_spec(spec)?;
                spec.check_written()?;
                RunSource::Spec(Box::new(spec))
            }
            (trigger, None) if trigger.is_empty() => {
                let problem = "name a trigger, or give a spec";
                return Err(RunsError::invalid("trigger", problem));
            }
            (_, Some(_)) => {
                let problem = "give a trigger or a spec, not both";
                return Err(RunsError::invalid("spec", problem));
            }
            (trigger, None) => RunSource::Trigger(trigger),
        };
        let named = |name: String| (!name.is_empty()).then_some(name);
        Ok(Self {
            project: named(request.project),
            repository: named(request.repository),
            source,
            title: request.title,
        })
    }
}

impl TryFrom<repositories::Repository> for Repository {
    type Error = RunsError;

    fn try_from(repository: repositories::Repository) -> Result<Self, RunsError> {
        let triggers = repository.services.into_iter().flat_map(|s| s.triggers);
        let triggers = triggers.map(|trigger| Trigger {
            name: trigger.name,
            spec: match trigger.spec {
                Some(spec) => spec_from_pb(spec),
                None => Err(Invalid {
                    field: "trigger",
                    problem: "has no spec".to_owned(),
                }),
            },
        });
        Ok(Self {
            id: id("repository", &repository.id)?,
            project: id("repository", &repository.project_id)?,
            full_name: repository.full_name,
            triggers: triggers.collect(),
        })
    }
}

impl TryFrom<pb::LogAppend> for LogAppend {
    type Error = Status;

    fn try_from(append: pb::LogAppend) -> Result<Self, Status> {
        let lease = lease_ref_from_pb(append.lease.as_ref())?;
        let chunk = append.chunk.unwrap_or_default();
        Ok(Self {
            lease,
            offset: chunk.offset,
            stream: match chunk.stream() {
                pb::LogStream::System => LogStream::System,
                _ => LogStream::Output,
            },
            data: chunk.data,
            position: position(append.position)?,
        })
    }
}

/// Reads where a log's source stood.
fn position(text: String) -> Result<String, Status> {
    if text.len() > MAX_LOG_POSITION_BYTES {
        let problem = format!("at most {MAX_LOG_POSITION_BYTES} bytes");
        return Err(status::invalid("position", problem));
    }
    storable("position", text)
}

impl From<LogAppendResult> for pb::LogAppendResult {
    fn from(result: LogAppendResult) -> Self {
        Self {
            end_offset: result.end.unwrap_or(0),
            stale: result.end.is_none(),
            truncated: result.truncated,
            position: result.position,
        }
    }
}

impl From<LogChunk> for pb::LogChunk {
    fn from(chunk: LogChunk) -> Self {
        let stream = match chunk.stream {
            LogStream::System => pb::LogStream::System,
            LogStream::Output => pb::LogStream::Output,
        };
        Self {
            offset: chunk.start,
            data: chunk.data,
            time: Some(timestamp(chunk.recorded_at)),
            stream: stream.into(),
            attempt: chunk.attempt,
        }
    }
}

impl From<Grant> for pb::Grant {
    fn from(grant: Grant) -> Self {
        Self {
            lease: Some(lease_ref_to_pb(grant.lease)),
            slot: grant.slot.number(),
            run: Some(pb::Run {
                slot: grant.slot.number(),
                worker_id: String::from(grant.worker),
                ..grant.run.into()
            }),
            project_slug: grant.project_slug,
            takeover: grant.purpose == GrantPurpose::TakeOver,
            lease_until: Some(timestamp(grant.lease_until)),
            start_time: grant.running.map(|running| timestamp(running.started_at)),
            cleanup_only: grant.purpose == GrantPurpose::CleanUp,
            running_ms: grant.running.map_or(0, |running| millis(running.elapsed)),
        }
    }
}

/// A frame to a worker, for the wire.
pub(crate) fn server_frame_to_pb(frame: ServerFrame) -> pb::LeaseResponse {
    use pb::lease_response::Frame;
    let frame = match frame {
        ServerFrame::Welcome {
            lease_ttl,
            heartbeat_interval,
            installation,
        } => Frame::Welcome(pb::Welcome {
            lease_ttl_ms: millis(lease_ttl),
            heartbeat_interval_ms: millis(heartbeat_interval),
            protocol_version: PROTOCOL_VERSION,
            installation_id: installation.to_string(),
        }),
        ServerFrame::Grant(grant) => Frame::Grant(grant.into()),
        ServerFrame::Cancel { lease, reason } => Frame::Cancel(pb::Cancel {
            lease: Some(lease_ref_to_pb(lease)),
            reason: reason_to_pb(reason).into(),
            grace_ms: CANCEL_GRACE_MS,
        }),
        ServerFrame::Revoke { lease, cause } => Frame::Revoke(pb::Revoke {
            lease: Some(lease_ref_to_pb(lease)),
            code: cause.as_str().to_owned(),
        }),
        ServerFrame::Renewed {
            sequence,
            lease_until,
        } => Frame::Renewed(pb::Renewed {
            sequence,
            lease_until: Some(timestamp(lease_until)),
        }),
        ServerFrame::Ack { sequence } => Frame::Ack(pb::Ack { sequence }),
        ServerFrame::Draining => Frame::Draining(pb::Draining {}),
    };
    pb::LeaseResponse { frame: Some(frame) }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The name of a lease, for the wire.
fn lease_ref_to_pb(lease: LeaseRef) -> pb::LeaseRef {
    pb::LeaseRef {
        run_id: lease.run_id.to_string(),
        epoch: lease.epoch.0,
    }
}

/// Reads the name of a lease.
pub(crate) fn lease_ref_from_pb(lease: Option<&pb::LeaseRef>) -> Result<LeaseRef, Status> {
    let lease = lease.ok_or_else(|| status::invalid("lease", "is missing"))?;
    Ok(LeaseRef {
        run_id: id("lease.run_id", &lease.run_id)?,
        epoch: Epoch(lease.epoch),
    })
}

/// Decodes a filter. A state that this program does not know matches no run that it knows, and certainly not all.
pub(crate) fn states_from_pb(states: &[i32]) -> Result<Vec<RunState>, Status> {
    let decoded = states.iter().map(|&number| {
        pb::RunState::try_from(number)
            .ok()
            .and_then(state_from_pb)
            .ok_or_else(|| status::invalid("states", format!("there is no run state {number}")))
    });
    decoded.collect()
}

#[cfg(test)]
mod tests;
