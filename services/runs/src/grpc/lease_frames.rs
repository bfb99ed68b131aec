//! Frames of workers, decoded.
use ck8s_proto::runs::v1::{
    self as pb, Hello, LeaseRequest, NoteKind, lease_request::Frame, transition::Change,
};
use ck8s_rpc::{
    convert::{id, reason_from_pb, state_from_pb},
    status,
};
use ck8s_types::{EventKind, LeaseRef, RunReason};
use tonic::Status;

use super::request::message;
use crate::{
    convert::{PROTOCOL_VERSION, lease_ref_from_pb, storable},
    domain::{
        ExecutorDomain, Outcome, Transition, WorkerFrame, WorkerHello, default_message,
        default_state,
    },
};

/// The length of a worker's message that is kept, in characters.
const MAX_MESSAGE_CHARS: usize = 2000;
/// Leases of one worker; the database holds the same bound.
const MAX_CAPACITY: i32 = 100_000;

/// Reads a Hello: the worker, and the leases that it says it holds.
pub(super) fn hello_from_pb(hello: Hello) -> Result<(WorkerHello, Vec<LeaseRef>), Status> {
    if hello.protocol_version != PROTOCOL_VERSION {
        return Err(status::precondition(
            "PROTOCOL_VERSION",
            "this server speaks version 1 of the lease protocol",
        ));
    }
    let domain = ExecutorDomain::of(&hello.executor, &hello.labels)
        .ok_or_else(|| status::invalid("executor", "must be kubernetes or process"))?;
    let leases = leases_from_pb(&hello.leases)?;
    let labels = hello.labels.into_iter();
    let labels: Vec<String> = labels
        .map(|label| storable("labels", label))
        .collect::<Result<_, Status>>()?;
    let hello = WorkerHello {
        capacity: capacity(hello.capacity)?,
        id: id("worker_id", &hello.worker_id)?,
        instance: id("instance_id", &hello.instance_id)?,
        executor: hello.executor,
        domain,
        labels,
        version: storable("version", hello.version)?,
    };
    Ok((hello, leases))
}

/// Reads a frame after the Hello.
pub(super) fn worker_frame_from_pb(request: LeaseRequest) -> Result<WorkerFrame, Status> {
    Ok(match request.frame {
        Some(Frame::Heartbeat(heartbeat)) => WorkerFrame::Heartbeat {
            sequence: heartbeat.sequence,
            leases: leases_from_pb(&heartbeat.leases)?,
        },
        Some(Frame::Transition(report)) => WorkerFrame::Transition {
            lease: lease_ref_from_pb(report.lease.as_ref())?,
            sequence: report.sequence,
            transition: transition_from_pb(report.change)?,
        },
        Some(Frame::Capacity(changed)) => WorkerFrame::Capacity(capacity(changed.capacity)?),
        Some(Frame::Drain(_)) => WorkerFrame::Drain,
        Some(Frame::Hello(_)) => {
            return Err(status::precondition(
                "SECOND_HELLO",
                "Hello comes once, first of all",
            ));
        }
        None => WorkerFrame::Unknown,
    })
}

fn leases_from_pb(leases: &[pb::LeaseRef]) -> Result<Vec<LeaseRef>, Status> {
    leases.iter().map(|l| lease_ref_from_pb(Some(l))).collect()
}

fn capacity(capacity: i32) -> Result<i32, Status> {
    if (0..=MAX_CAPACITY).contains(&capacity) {
        Ok(capacity)
    } else {
        let problem = format!("must be 0 to {MAX_CAPACITY}");
        Err(status::invalid("capacity", problem))
    }
}

fn transition_from_pb(change: Option<Change>) -> Result<Transition, Status> {
    Ok(match change {
        Some(Change::Running(running)) => Transition::Running {
            workload: message(&running.workload, MAX_MESSAGE_CHARS),
            adopted: running.adopted,
        },
        Some(Change::Finished(finished)) => Transition::Finished(outcome_from_pb(&finished)?),
        Some(Change::Released(_)) => Transition::Released,
        Some(Change::Lost(lost)) => Transition::Lost {
            message: message(&lost.message, MAX_MESSAGE_CHARS),
            reason: reason_from_pb(lost.reason()).unwrap_or(RunReason::WorkloadLost),
        },
        Some(Change::Note(note)) => Transition::Noted {
            kind: match note.kind() {
                NoteKind::StartDelayed => EventKind::RunStartDelayed,
                NoteKind::LogIncomplete => EventKind::RunLogIncomplete,
                NoteKind::EndDelayed => EventKind::RunEndDelayed,
                NoteKind::Unspecified => return Err(status::invalid("note.kind", "is missing")),
            },
            message: message(&note.message, MAX_MESSAGE_CHARS),
        },
        Some(Change::HandedBack(back)) if back.workload_goes_on => Transition::ReturnedRunning,
        Some(Change::HandedBack(_)) => Transition::ReturnedUnstarted,
        None => return Err(status::invalid("transition.change", "is missing")),
    })
}

fn outcome_from_pb(finished: &pb::Finished) -> Result<Outcome, Status> {
    if !state_from_pb(finished.state()).is_some_and(|s| s.is_terminal()) {
        return Err(status::invalid("finished.state", "must be terminal"));
    }
    let reason = reason_from_pb(finished.reason())
        .ok_or_else(|| status::invalid("finished.reason", "is missing"))?;
    let message = match message(&finished.message, MAX_MESSAGE_CHARS) {
        empty if empty.is_empty() => default_message(reason).to_owned(),
        message => message,
    };
    Ok(Outcome {
        // Each reason has one state, whoever says it: lists rely on that.
        state: default_state(reason),
        reason,
        message,
        exit_code: finished.exit_code,
    })
}
