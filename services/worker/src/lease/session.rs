//! One session of the lease stream: Hello and Welcome, heartbeats, transitions out, grants and cancellations in.
use std::{collections::VecDeque, sync::Arc, time::Duration};

use ck8s_proto::runs::v1::{
    Drain, Grant, Heartbeat, Hello, LeaseRequest, LeaseResponse, Welcome,
    lease_request::Frame as RequestFrame, lease_response::Frame as ResponseFrame,
};
use ck8s_types::{InstallationId, InstanceId, LeaseRef, WorkerId};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::LeaseTable;
use crate::{
    connection::Client,
    convert::{lease_from_pb, lease_to_pb},
    domain::Moment,
};

/// The version of the stream's protocol.
const PROTOCOL_VERSION: i32 = 1;
/// How many frames may wait to be sent. A full queue makes the session wait, and then break.
const MAX_QUEUED_FRAMES: usize = 256;
/// Bounds the wait for the server's first frame: a server that needs longer is of no use.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest interval between heartbeats, whatever the server says.
const MIN_HEARTBEAT_INTERVAL: Duration = Duration::from_millis(10);
/// The shortest time that a frame may wait for room in the queue, however short leases live.
const MIN_SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// How this worker introduces itself.
pub(crate) struct WorkerIdentity {
    pub(crate) worker_id: WorkerId,
    pub(crate) instance_id: InstanceId,
    pub(crate) labels: Vec<String>,
    pub(crate) executor: &'static str,
    pub(crate) capacity: i32,
}

impl WorkerIdentity {
    fn hello(&self, leases: &[LeaseRef]) -> Hello {
        Hello {
            worker_id: self.worker_id.to_string(),
            instance_id: self.instance_id.to_string(),
            protocol_version: PROTOCOL_VERSION,
            labels: self.labels.clone(),
            executor: self.executor.to_owned(),
            capacity: self.capacity,
            leases: leases.iter().copied().map(lease_to_pb).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Why a session ended.
pub(super) enum SessionEnd {
    /// The stream ended or broke.
    Broken(Status),
    /// The server shuts down.
    ServerDrains,
    /// This worker drains, and holds no lease any more.
    HandedBack,
}

/// A heartbeat that the server has not answered. The leases that it names count from the moment when it was sent.
struct SentHeartbeat {
    sequence: i64,
    time: Moment,
    leases: Vec<LeaseRef>,
}

/// One stream, after the server's Welcome.
pub(super) struct Session {
    leases: Arc<LeaseTable>,
    drain: CancellationToken,
    requests: mpsc::Sender<LeaseRequest>,
    responses: Streaming<LeaseResponse>,
    heartbeat_interval: Duration,
    lease_ttl: Duration,
    /// When leases expire by the last answer of the server. One heartbeat renews all leases of a worker, new ones
    /// included.
    expiry: Moment,
    heartbeats: VecDeque<SentHeartbeat>,
    last_sequence: i64,
    drain_sent: bool,
    /// The installation that the server belongs to; none if the server is older than such ids.
    pub(super) installation: Option<InstallationId>,
}

impl Session {
    /// Opens a stream and waits for the server's Welcome.
    pub(super) async fn open(
        client: Client,
        identity: &WorkerIdentity,
        leases: &Arc<LeaseTable>,
        drain: &CancellationToken,
    ) -> Result<Self, Status> {
        let (requests, queue) = mpsc::channel(MAX_QUEUED_FRAMES);
        let hello_time = Moment::now();
        let hello = identity.hello(&leases.leases());
        let exchange = exchange_hello(client, hello, &requests, queue);
        let (welcome, responses) = tokio::time::timeout(WELCOME_TIMEOUT, exchange)
            .await
            .map_err(|_| Status::deadline_exceeded("no welcome in time"))??;
        tracing::info!(
            ttl_ms = welcome.lease_ttl_ms,
            interval_ms = welcome.heartbeat_interval_ms,
            "connected"
        );
        let lease_ttl = milliseconds(welcome.lease_ttl_ms);
        let heartbeat_interval = milliseconds(welcome.heartbeat_interval_ms);
        leases.resend(!welcome.installation_id.is_empty());
        Ok(Self {
            leases: Arc::clone(leases),
            drain: drain.clone(),
            requests,
            responses,
            heartbeat_interval: heartbeat_interval.max(MIN_HEARTBEAT_INTERVAL),
            lease_ttl,
            expiry: hello_time + lease_ttl,
            heartbeats: VecDeque::new(),
            last_sequence: 0,
            drain_sent: false,
            installation: welcome.installation_id.parse().ok(),
        })
    }

    /// Runs until the stream ends, or until everything is handed back.
    pub(super) async fn run(&mut self, on_grant: &mut impl FnMut(Grant, Moment)) -> SessionEnd {
        let leases = Arc::clone(&self.leases);
        let drain = self.drain.clone();
        let mut heartbeat = tokio::time::interval(self.heartbeat_interval);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.drain_sent && leases.is_empty() {
                return SessionEnd::HandedBack;
            }
            let sent = tokio::select! {
                response = self.responses.message() => match response {
                    Ok(Some(LeaseResponse { frame: Some(ResponseFrame::Draining(_)) })) => {
                        return SessionEnd::ServerDrains;
                    }
                    Ok(Some(LeaseResponse { frame: Some(frame) })) => {
                        self.handle(frame, on_grant);
                        Ok(())
                    }
                    Ok(Some(LeaseResponse { frame: None })) => Ok(()),
                    Ok(None) => Err(Status::unavailable("the server ended the stream")),
                    Err(status) => Err(status),
                },
                () = drain.cancelled(), if !self.drain_sent => {
                    self.drain_sent = true;
                    self.send(RequestFrame::Drain(Drain {})).await
                }
                _ = heartbeat.tick() => self.send_heartbeat().await,
                () = leases.wake.notified() => self.send_transitions().await,
            };
            if let Err(status) = sent {
                return SessionEnd::Broken(status);
            }
        }
    }

    async fn send(&self, frame: RequestFrame) -> Result<(), Status> {
        let request = LeaseRequest { frame: Some(frame) };
        self.requests
            .send_timeout(request, self.lease_ttl.max(MIN_SEND_TIMEOUT))
            .await
            .map_err(|_| Status::unavailable("the stream takes no more frames"))
    }

    async fn send_heartbeat(&mut self) -> Result<(), Status> {
        let answer_timeout = self.lease_ttl.max(self.heartbeat_interval * 3);
        if let Some(oldest) = self.heartbeats.front()
            && oldest.time.elapsed() > answer_timeout
        {
            return Err(Status::deadline_exceeded(
                "the server does not answer heartbeats",
            ));
        }
        self.last_sequence += 1;
        let leases = self.leases.leases();
        metrics::gauge!("ck8s_worker_leases").set(leases.len() as f64);
        let heartbeat = Heartbeat {
            sequence: self.last_sequence,
            leases: leases.iter().copied().map(lease_to_pb).collect(),
        };
        self.heartbeats.push_back(SentHeartbeat {
            sequence: self.last_sequence,
            time: Moment::now(),
            leases,
        });
        self.send(RequestFrame::Heartbeat(heartbeat)).await
    }

    async fn send_transitions(&self) -> Result<(), Status> {
        for transition in self.leases.take_unsent(Moment::now()) {
            self.send(RequestFrame::Transition(transition)).await?;
        }
        Ok(())
    }

    fn handle(&mut self, frame: ResponseFrame, on_grant: &mut impl FnMut(Grant, Moment)) {
        match frame {
            ResponseFrame::Grant(grant) => on_grant(grant, self.expiry),
            ResponseFrame::Renewed(renewed) => self.renew(renewed.sequence),
            ResponseFrame::Cancel(cancel) => {
                if let Some(lease) = lease_from_pb(cancel.lease) {
                    self.leases.cancel(lease, milliseconds(cancel.grace_ms));
                }
            }
            ResponseFrame::Revoke(revoke) => {
                // A lease that was just released may still stand in a heartbeat that is on its way: then the table no
                // longer has it.
                if let Some(lease) = lease_from_pb(revoke.lease)
                    && self.leases.revoke(lease)
                {
                    tracing::warn!(run.id = %lease.run_id, epoch = %lease.epoch, code = revoke.code, "a lease was revoked");
                }
            }
            ResponseFrame::Ack(ack) => self.leases.acknowledge(ack.sequence),
            ResponseFrame::Welcome(_) | ResponseFrame::Draining(_) => {}
        }
    }

    /// Extends the leases of the heartbeat that the server has answered.
    fn renew(&mut self, sequence: i64) {
        while let Some(heartbeat) = self.heartbeats.pop_front_if(|h| h.sequence <= sequence) {
            if heartbeat.sequence == sequence {
                self.expiry = heartbeat.time + self.lease_ttl;
                self.leases.renew(&heartbeat.leases, self.expiry);
            }
        }
    }
}

/// Sends Hello, opens the stream, and returns the server's Welcome with the stream of what follows.
async fn exchange_hello(
    mut client: Client,
    hello: Hello,
    requests: &mpsc::Sender<LeaseRequest>,
    queue: mpsc::Receiver<LeaseRequest>,
) -> Result<(Welcome, Streaming<LeaseResponse>), Status> {
    let hello = LeaseRequest {
        frame: Some(RequestFrame::Hello(hello)),
    };
    requests
        .send(hello)
        .await
        .map_err(|_| Status::cancelled("the stream is closed"))?;
    let mut responses = client.lease(ReceiverStream::new(queue)).await?.into_inner();
    match responses.message().await?.and_then(|m| m.frame) {
        Some(ResponseFrame::Welcome(welcome)) => Ok((welcome, responses)),
        Some(ResponseFrame::Draining(_)) => Err(Status::unavailable("the server shuts down")),
        Some(_) | None => Err(Status::unavailable("the server did not send Welcome")),
    }
}

fn milliseconds(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}
