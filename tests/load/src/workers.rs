//! Workers that do no work: they speak the lease protocol, and report each grant at once as running, succeeded and
//! released.
use anyhow::Result;
use ck8s_proto::runs::v1::{
    Finished, Heartbeat, Hello, LeaseRef, LeaseRequest, LeaseResponse, Released, RunReason,
    RunState, Running, Transition, lease_request, lease_response,
    lease_service_client::LeaseServiceClient, transition,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Duration, Instant, interval},
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use uuid::Uuid;

use crate::server::Authorized;

/// What a worker does with a grant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Do {
    /// Reports the run as done at once.
    Finish,
    /// Reports the run as running and leaves it so.
    Hold,
}

/// A grant that arrived.
pub(crate) struct Granted {
    pub(crate) lease: LeaseRef,
    pub(crate) at: Instant,
}

/// A worker's stream.
pub(crate) struct Worker {
    task: JoinHandle<()>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects a worker. It reports each grant to the listener, if there is one.
pub(crate) async fn connect(
    channel: Authorized,
    name: String,
    label: &str,
    capacity: i32,
    what: Do,
    granted: Option<mpsc::UnboundedSender<Granted>>,
) -> Result<Worker> {
    let (out, rx) = mpsc::unbounded_channel();
    let hello = Hello {
        worker_id: name,
        instance_id: Uuid::now_v7().to_string(),
        protocol_version: 1,
        labels: vec![label.to_owned()],
        executor: "process".to_owned(),
        capacity,
        leases: Vec::new(),
        version: "load".to_owned(),
    };
    send(&out, lease_request::Frame::Hello(hello));
    let mut incoming = LeaseServiceClient::new(channel)
        .lease(UnboundedReceiverStream::new(rx))
        .await?
        .into_inner();
    let welcome = incoming.message().await?;
    anyhow::ensure!(
        matches!(
            welcome,
            Some(LeaseResponse {
                frame: Some(lease_response::Frame::Welcome(_))
            })
        ),
        "no Welcome came"
    );
    let task = tokio::spawn(async move {
        let mut held: Vec<LeaseRef> = Vec::new();
        let mut beat = interval(Duration::from_secs(4));
        let mut sequence = 0;
        loop {
            let frame = tokio::select! {
                _ = beat.tick() => {
                    sequence += 1;
                    send(&out, lease_request::Frame::Heartbeat(Heartbeat { sequence, leases: held.clone() }));
                    continue;
                }
                message = incoming.message() => match message {
                    Ok(Some(LeaseResponse { frame: Some(frame) })) => frame,
                    Ok(Some(_)) => continue,
                    _ => return,
                },
            };
            match frame {
                lease_response::Frame::Grant(grant) => {
                    let at = Instant::now();
                    let Some(lease) = grant.lease else { continue };
                    if let Some(granted) = &granted {
                        let _ = granted.send(Granted {
                            lease: lease.clone(),
                            at,
                        });
                    }
                    let running = Running {
                        workload: "process:0".to_owned(),
                        adopted: false,
                    };
                    sequence = say(&out, sequence, &lease, transition::Change::Running(running));
                    if what == Do::Hold {
                        held.push(lease);
                        continue;
                    }
                    sequence = end(&out, sequence, &lease);
                }
                lease_response::Frame::Cancel(cancel) => {
                    let Some(lease) = cancel.lease else { continue };
                    held.retain(|l| l.run_id != lease.run_id);
                    sequence = say(
                        &out,
                        sequence,
                        &lease,
                        transition::Change::Released(Released {}),
                    );
                }
                _ => {}
            }
        }
    });
    Ok(Worker { task })
}

fn end(out: &mpsc::UnboundedSender<LeaseRequest>, sequence: i64, lease: &LeaseRef) -> i64 {
    let finished = Finished {
        state: RunState::Succeeded.into(),
        reason: RunReason::Completed.into(),
        message: String::new(),
        exit_code: Some(0),
    };
    let sequence = say(out, sequence, lease, transition::Change::Finished(finished));
    say(
        out,
        sequence,
        lease,
        transition::Change::Released(Released {}),
    )
}

fn say(
    out: &mpsc::UnboundedSender<LeaseRequest>,
    sequence: i64,
    lease: &LeaseRef,
    change: transition::Change,
) -> i64 {
    let sequence = sequence + 1;
    let transition = Transition {
        sequence,
        lease: Some(lease.clone()),
        change: Some(change),
    };
    send(out, lease_request::Frame::Transition(transition));
    sequence
}

fn send(out: &mpsc::UnboundedSender<LeaseRequest>, frame: lease_request::Frame) {
    // The other half of a broken stream reports the break.
    let _ = out.send(LeaseRequest { frame: Some(frame) });
}
