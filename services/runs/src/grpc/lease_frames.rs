//! Frames from workers: decoded and handed to the engine.
use std::sync::Arc;

use ck8s_proto::runs::v1::{
    self as pb, Hello, LeaseRequest, Transition, lease_request::Frame, transition,
};
use ck8s_rpc::{
    convert::{id, reason_from_pb, state_from_pb},
    status,
};
use ck8s_types::{Epoch, RunId};
use tonic::Status;

use crate::{
    RunsError,
    convert::parse_lease_ref,
    domain::{Outcome, finished_sentence},
    engine::{Beat, Change, Engine, Said},
    store::{
        transitions::Holder,
        workers::{self, Arrival},
    },
};

/// Longest sentence that is kept of what a worker says.
const LONGEST_MESSAGE: usize = 2000;
/// Most leases of one worker.
const MOST_CAPACITY: i32 = 100_000;

/// Reads a Hello.
pub fn hello(hello: Hello) -> Result<(Arrival, Vec<(RunId, Epoch)>), Status> {
    if hello.protocol_version != 1 {
        return Err(status::precondition(
            "PROTOCOL_VERSION",
            "this server speaks version 1 of the lease protocol",
        ));
    }
    if !(0..=MOST_CAPACITY).contains(&hello.capacity) {
        return Err(status::invalid(
            "capacity",
            format!("must be 0 to {MOST_CAPACITY}"),
        ));
    }
    let domain = match hello.executor.as_str() {
        "process" => "process".to_owned(),
        "kubernetes" => {
            let cluster = hello
                .labels
                .iter()
                .find_map(|l| l.strip_prefix("cluster="))
                .unwrap_or_default();
            format!("kubernetes:{cluster}")
        }
        _ => return Err(status::invalid("executor", "must be kubernetes or process")),
    };
    let leases = hello
        .leases
        .iter()
        .map(|l| parse_lease_ref(Some(l)))
        .collect::<Result<_, _>>()?;
    let arrival = Arrival {
        id: id("worker_id", &hello.worker_id)?,
        instance: id("instance_id", &hello.instance_id)?,
        executor: hello.executor,
        domain,
        labels: hello.labels,
        capacity: hello.capacity,
        version: hello.version,
    };
    Ok((arrival, leases))
}

/// Takes a frame after the Hello.
pub async fn take(
    engine: &Arc<Engine>,
    arrival: &Arrival,
    session: u64,
    request: LeaseRequest,
) -> Result<(), Status> {
    let worker = arrival.id.as_str();
    match request.frame {
        Some(Frame::Heartbeat(beat)) => {
            let leases = beat
                .leases
                .iter()
                .map(|l| parse_lease_ref(Some(l)))
                .collect::<Result<Vec<_>, _>>()?;
            engine.compare(worker, session, &leases).await?;
            let beat = Beat {
                worker: worker.to_owned(),
                instance: arrival.instance.uuid(),
                session,
                sequence: beat.sequence,
            };
            engine.beat(beat).await?;
        }
        Some(Frame::Transition(transition)) => {
            let said = said(transition, worker, session)?;
            engine.say(said).await?;
        }
        Some(Frame::Capacity(pb::Capacity { capacity }))
            if (0..=MOST_CAPACITY).contains(&capacity) =>
        {
            engine.set_capacity(worker, capacity);
            let stored = async {
                workers::set_capacity(&mut *engine.pool.acquire().await?, &arrival.id, capacity)
                    .await
            };
            stored.await.map_err(RunsError::from)?;
        }
        Some(Frame::Capacity(_)) => {
            return Err(status::invalid(
                "capacity",
                format!("must be 0 to {MOST_CAPACITY}"),
            ));
        }
        Some(Frame::Drain(_)) => engine.leaves(worker, session),
        Some(Frame::Hello(_)) => {
            return Err(status::precondition(
                "SECOND_HELLO",
                "Hello comes once, first of all",
            ));
        }
        None => {} // a frame of a later version
    }
    Ok(())
}

fn said(transition: Transition, worker: &str, session: u64) -> Result<Said, Status> {
    let (run, epoch) = parse_lease_ref(transition.lease.as_ref())?;
    let change = match transition.change {
        Some(transition::Change::Running(running)) => Change::Running {
            workload: short(&running.workload),
            adopted: running.adopted,
        },
        Some(transition::Change::Finished(finished)) => Change::Finished(outcome(&finished)?),
        Some(transition::Change::Released(_)) => Change::Released,
        Some(transition::Change::Lost(lost)) => Change::Lost {
            message: short(&lost.message),
        },
        Some(transition::Change::HandedBack(back)) => Change::HandedBack {
            workload_goes_on: back.workload_goes_on,
        },
        None => return Err(status::invalid("transition.change", "is missing")),
    };
    let holder = Holder {
        run,
        epoch,
        worker: worker.to_owned(),
    };
    Ok(Said {
        holder,
        sequence: transition.sequence,
        session,
        change,
    })
}

fn outcome(finished: &pb::Finished) -> Result<Outcome, Status> {
    let state = state_from_pb(finished.state()).filter(|s| s.is_terminal());
    let state = state.ok_or_else(|| status::invalid("finished.state", "must be terminal"))?;
    let reason = reason_from_pb(finished.reason())
        .ok_or_else(|| status::invalid("finished.reason", "is missing"))?;
    let message = match short(&finished.message) {
        empty if empty.is_empty() => finished_sentence(reason).to_owned(),
        message => message,
    };
    Ok(Outcome {
        state,
        reason,
        message,
        exit_code: finished.exit_code,
    })
}

fn short(text: &str) -> String {
    text.chars()
        .filter(|c| *c != '\0')
        .take(LONGEST_MESSAGE)
        .collect()
}
