//! The lease stream: one session after the other, as long as the worker lives.
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use ck8s_proto::runs::v1::{
    Drain, Grant, Heartbeat, Hello, LeaseRef, LeaseRequest, LeaseResponse, Welcome,
    lease_request::Frame, lease_response::Frame as Answer,
};
use ck8s_types::{Epoch, InstanceId};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use super::LeaseTable;
use crate::{Connected, WorkerError, backoff::Backoff, connection::Connection};

const PROTOCOL: i32 = 1;
/// How many frames may wait to be sent.
const FRAMES: usize = 256;
/// How long the server has for its first frame.
const WELCOME: Duration = Duration::from_secs(10);

/// Who this worker is.
pub(crate) struct Identity {
    pub(crate) worker_id: String,
    pub(crate) instance_id: InstanceId,
    pub(crate) labels: Vec<String>,
    pub(crate) executor: &'static str,
    pub(crate) capacity: i32,
}

/// Why a session ended.
pub(crate) enum SessionEnd {
    /// The stream ended or broke.
    Broken(Status),
    /// The server goes.
    Draining,
    /// All is handed back.
    Done,
}

/// Connects again and again.
pub(crate) struct Sessions {
    pub(crate) identity: Identity,
    pub(crate) connection: Arc<Connection>,
    pub(crate) leases: Arc<LeaseTable>,
    /// The worker takes no more work.
    pub(crate) drain: CancellationToken,
    /// Told when the stream stands and when it does not.
    pub(crate) connected: Connected,
}

/// What a heartbeat named, and when it was sent: the leases count from then.
struct Beat {
    sequence: i64,
    sent: Instant,
    leases: Vec<LeaseRef>,
}

/// One stream, after its Welcome.
struct Session<'a> {
    sessions: &'a Sessions,
    frames: mpsc::Sender<LeaseRequest>,
    ttl: Duration,
    /// Until when the server's last word lets leases live: one heartbeat renews all of a worker, new ones included.
    term: Instant,
    beats: VecDeque<Beat>,
    sequence: i64,
    drain_said: bool,
}

impl Sessions {
    /// Runs until all is handed back after `drain`. Every new lease goes to `granted`, with the end of its first term.
    pub(crate) async fn run(
        &self,
        mut granted: impl FnMut(Grant, Instant),
    ) -> Result<(), WorkerError> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let mut welcomed = false;
        loop {
            let mut welcome = || {
                welcomed = true;
                backoff.reset();
                self.connected.set(true);
            };
            let ended = self.session(&mut welcome, &mut granted).await;
            self.connected.set(false);
            match ended {
                SessionEnd::Done => return Ok(()),
                SessionEnd::Draining => tracing::info!("the server goes: connecting to another"),
                SessionEnd::Broken(status) if !welcomed && is_refusal(&status) => {
                    return Err(WorkerError::Refused {
                        message: status.message().to_owned(),
                    });
                }
                SessionEnd::Broken(status) => {
                    tracing::warn!(code = ?status.code(), message = status.message(), "the lease stream broke");
                }
            }
            if self.drain.is_cancelled() && self.leases.is_empty() {
                return Ok(());
            }
            metrics::counter!("ck8s_worker_reconnects_total").increment(1);
            tokio::time::sleep(backoff.next()).await;
            self.connection.renew();
        }
    }

    async fn session(
        &self,
        welcomed: &mut impl FnMut(),
        granted: &mut impl FnMut(Grant, Instant),
    ) -> SessionEnd {
        let (frames, outgoing) = mpsc::channel(FRAMES);
        let said_hello = Instant::now();
        let opened = tokio::time::timeout(WELCOME, self.open(&frames, outgoing)).await;
        let (welcome, mut incoming) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(status)) => return SessionEnd::Broken(status),
            Err(_) => return SessionEnd::Broken(Status::deadline_exceeded("no welcome in time")),
        };
        welcomed();
        let interval = Duration::from_millis(
            u64::try_from(welcome.heartbeat_interval_ms)
                .unwrap_or(0)
                .max(10),
        );
        tracing::info!(
            ttl_ms = welcome.lease_ttl_ms,
            interval_ms = welcome.heartbeat_interval_ms,
            "connected"
        );
        let ttl = Duration::from_millis(u64::try_from(welcome.lease_ttl_ms).unwrap_or(0));
        let mut session = Session {
            sessions: self,
            frames,
            ttl,
            term: said_hello + ttl,
            beats: VecDeque::new(),
            sequence: 0,
            drain_said: false,
        };
        self.leases.resend();
        session.run(interval, &mut incoming, granted).await
    }

    async fn open(
        &self,
        frames: &mpsc::Sender<LeaseRequest>,
        outgoing: mpsc::Receiver<LeaseRequest>,
    ) -> Result<(Welcome, Streaming<LeaseResponse>), Status> {
        let closed = |_| Status::cancelled("the stream is closed");
        let hello = Frame::Hello(Hello {
            worker_id: self.identity.worker_id.clone(),
            instance_id: self.identity.instance_id.to_string(),
            protocol_version: PROTOCOL,
            labels: self.identity.labels.clone(),
            executor: self.identity.executor.to_owned(),
            capacity: self.identity.capacity,
            leases: self.leases.refs(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        frames
            .send(LeaseRequest { frame: Some(hello) })
            .await
            .map_err(closed)?;
        let answer = self
            .connection
            .client()
            .lease(ReceiverStream::new(outgoing))
            .await?;
        let mut incoming = answer.into_inner();
        match incoming.message().await?.and_then(|m| m.frame) {
            Some(Answer::Welcome(welcome)) => Ok((welcome, incoming)),
            Some(Answer::Draining(_)) => Err(Status::unavailable("the server goes")),
            Some(_) | None => Err(Status::unavailable("the server did not say welcome")),
        }
    }
}

impl Session<'_> {
    async fn run(
        &mut self,
        interval: Duration,
        incoming: &mut Streaming<LeaseResponse>,
        granted: &mut impl FnMut(Grant, Instant),
    ) -> SessionEnd {
        let leases = &self.sessions.leases;
        let mut beat = tokio::time::interval(interval);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.drain_said && leases.is_empty() {
                return SessionEnd::Done;
            }
            let sent = tokio::select! {
                frame = incoming.message() => match frame {
                    Ok(Some(LeaseResponse { frame: Some(Answer::Draining(_)) })) => return SessionEnd::Draining,
                    Ok(Some(LeaseResponse { frame: Some(frame) })) => {
                        self.take(frame, granted);
                        Ok(())
                    }
                    Ok(Some(LeaseResponse { frame: None })) => Ok(()),
                    Ok(None) => return SessionEnd::Broken(Status::unavailable("the server ended the stream")),
                    Err(status) => return SessionEnd::Broken(status),
                },
                () = self.sessions.drain.cancelled(), if !self.drain_said => {
                    self.drain_said = true;
                    self.send(Frame::Drain(Drain {})).await
                }
                _ = beat.tick() => {
                    if self.beats.front().is_some_and(|b| b.sent.elapsed() > self.ttl.max(interval * 3)) {
                        return SessionEnd::Broken(Status::deadline_exceeded("the server does not answer heartbeats"));
                    }
                    self.beat().await
                }
                () = leases.wake.notified() => self.send_transitions().await,
            };
            if let Err(status) = sent {
                return SessionEnd::Broken(status);
            }
        }
    }

    async fn send(&self, frame: Frame) -> Result<(), Status> {
        self.frames
            .send_timeout(
                LeaseRequest { frame: Some(frame) },
                self.ttl.max(Duration::from_secs(1)),
            )
            .await
            .map_err(|_| Status::unavailable("the stream takes no more frames"))
    }

    async fn beat(&mut self) -> Result<(), Status> {
        self.sequence += 1;
        let leases = self.sessions.leases.refs();
        let beat = Beat {
            sequence: self.sequence,
            sent: Instant::now(),
            leases: leases.clone(),
        };
        metrics::gauge!("ck8s_worker_leases").set(leases.len() as f64);
        self.beats.push_back(beat);
        self.send(Frame::Heartbeat(Heartbeat {
            sequence: self.sequence,
            leases,
        }))
        .await
    }

    async fn send_transitions(&self) -> Result<(), Status> {
        for transition in self.sessions.leases.to_send(Instant::now()) {
            self.send(Frame::Transition(transition)).await?;
        }
        Ok(())
    }

    fn take(&mut self, frame: Answer, granted: &mut impl FnMut(Grant, Instant)) {
        let leases = &self.sessions.leases;
        match frame {
            Answer::Grant(grant) => granted(grant, self.term),
            Answer::Renewed(renewed) => {
                while let Some(beat) = self.beats.pop_front_if(|b| b.sequence <= renewed.sequence) {
                    if beat.sequence == renewed.sequence {
                        self.term = beat.sent + self.ttl;
                        leases.renewed(&beat.leases, self.term);
                    }
                }
            }
            Answer::Cancel(cancel) => {
                if let Some((run, epoch)) = parse(cancel.lease.as_ref()) {
                    let grace = Duration::from_millis(u64::try_from(cancel.grace_ms).unwrap_or(0));
                    leases.canceled(run, epoch, grace);
                }
            }
            Answer::Revoke(revoke) => {
                // Of a lease that was released a moment ago, a heartbeat on its way still tells.
                if let Some((run, epoch)) = parse(revoke.lease.as_ref())
                    && leases.revoked(run, epoch)
                {
                    tracing::warn!(run.id = %run, %epoch, code = revoke.code, "a lease was revoked");
                }
            }
            Answer::Ack(ack) => leases.acknowledged(ack.sequence),
            Answer::Welcome(_) | Answer::Draining(_) => {}
        }
    }
}

fn parse(lease: Option<&LeaseRef>) -> Option<(ck8s_types::RunId, Epoch)> {
    let lease = lease?;
    Some((lease.run_id.parse().ok()?, Epoch(lease.epoch)))
}

/// Trying again does not help.
fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unauthenticated
            | Code::PermissionDenied
            | Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::Unimplemented
    )
}
