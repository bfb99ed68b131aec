//! Sessions: a worker's stream here, from its Hello to its end.
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ck8s_proto::runs::v1::{LeaseResponse, Revoke, Welcome, lease_response::Frame};
use ck8s_types::{Epoch, ProjectId, RunId};
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tonic::Status;

use super::{Engine, Note, grants};
use crate::{
    RunsError,
    convert::lease_ref,
    store::{leases, workers, workers::Arrival},
};

/// A worker's stream here.
pub struct Session {
    /// Tells this session from an earlier or later one of the same worker.
    pub id: u64,
    pub arrival: Arrival,
    pub held: HashMap<RunId, Held>,
    /// Leases of the worker that the reaper found in the database at its last sweep, and not in `held`.
    pub untold: HashSet<(RunId, Epoch)>,
    /// Places that are planned for and not leased yet.
    pub reserved: i32,
    pub draining: bool,
    /// How often that was set here: what a sweep read before counts less.
    pub drains: u64,
    /// It has said Drain on this stream: it goes. Unlike `draining`, nobody can undo that.
    pub leaving: bool,
    /// Until when its leases live, as last stored.
    pub lease_until: OffsetDateTime,
    labels: HashSet<String>,
    frames: mpsc::UnboundedSender<Result<LeaseResponse, Status>>,
}

/// A lease that a worker holds.
#[derive(Clone, Copy)]
pub struct Held {
    pub epoch: Epoch,
    pub project: ProjectId,
    /// The reaper saw it releasing at its last sweep.
    pub releasing: bool,
    /// The reaper did not find it in the database at its last sweep.
    pub unstored: bool,
    /// Heartbeats in a row that did not name it.
    pub missed: u8,
}

/// What a Hello says.
pub struct Arriving {
    pub arrival: Arrival,
    pub leases: Vec<(RunId, Epoch)>,
    pub frames: mpsc::UnboundedSender<Result<LeaseResponse, Status>>,
}

impl Session {
    /// The worker's id.
    pub fn worker(&self) -> &str {
        self.arrival.id.as_str()
    }

    /// Whether it may be given anything.
    pub fn takes_work(&self) -> bool {
        !self.draining && !self.leaving
    }

    /// How many more leases it can take.
    pub fn free(&self) -> i32 {
        if !self.takes_work() {
            return 0;
        }
        self.arrival.capacity - self.reserved - i32::try_from(self.held.len()).unwrap_or(i32::MAX)
    }

    /// Whether it has all of these labels.
    pub fn has_labels(&self, labels: &[String]) -> bool {
        labels.iter().all(|l| self.labels.contains(l))
    }

    /// Holds a lease from now on. False: it held one of this run before.
    pub fn hold(&mut self, run: RunId, epoch: Epoch, project: ProjectId) -> bool {
        let held = Held {
            epoch,
            project,
            releasing: false,
            unstored: false,
            missed: 0,
        };
        self.held.insert(run, held).is_none()
    }

    fn compare(&mut self, names: &[(RunId, Epoch)]) -> HashSet<RunId> {
        for (run, epoch) in names {
            if self.held.get(run).is_none_or(|h| h.epoch != *epoch) {
                self.send(Frame::Revoke(Revoke {
                    lease: Some(lease_ref(*run, *epoch)),
                    code: "STALE_EPOCH".to_owned(),
                }));
            }
        }
        let named: HashSet<&RunId> = names.iter().map(|(run, _)| run).collect();
        let mut forgotten = HashSet::new();
        for (run, held) in &mut self.held {
            held.missed = if named.contains(run) {
                0
            } else {
                held.missed + 1
            };
            if held.missed == 2 {
                held.missed = 0;
                forgotten.insert(*run);
            }
        }
        forgotten
    }

    /// Sends a frame. False: the stream is gone.
    pub fn send(&self, frame: Frame) -> bool {
        self.frames
            .send(Ok(LeaseResponse { frame: Some(frame) }))
            .is_ok()
    }

    /// Ends the stream.
    pub fn close(&self, status: Status) {
        let _ = self.frames.send(Err(status));
    }
}

static SESSIONS: AtomicU64 = AtomicU64::new(1);

impl Engine {
    /// Takes a worker in: its leases are compared with what it says it holds. Returns the session's number.
    pub async fn connect(self: &Arc<Self>, arriving: Arriving) -> Result<u64, RunsError> {
        let Arriving {
            arrival,
            leases: says,
            frames,
        } = arriving;
        let worker = arrival.id.as_str().to_owned();
        let mut tx = self.pool.begin().await?;
        let known = workers::connect(
            &mut tx,
            &arrival,
            self.replica,
            self.config.lease_ttl.as_secs_f64(),
        )
        .await?;
        let stored = leases::of_workers(&mut tx, std::slice::from_ref(&worker)).await?;
        let holds: HashSet<(RunId, Epoch)> = says.iter().copied().collect();
        let (held, missing): (Vec<_>, Vec<_>) = stored
            .into_iter()
            .partition(|l| holds.contains(&(l.run, l.epoch)));
        // A grant that was lost with the stream is sent again; what ran in another process, or is gone here, is looked for anew.
        let (again, lost): (Vec<_>, Vec<_>) = missing
            .into_iter()
            .partition(|l| known.same_instance && !known.was_expired && !l.running && !l.releasing);
        let lost: Vec<uuid::Uuid> = lost.iter().map(|l| l.run.uuid()).collect();
        if !lost.is_empty() {
            leases::orphan(&mut tx, &worker, &lost, "its worker came back without it").await?;
        }
        tx.commit().await?;

        let mut session = Session {
            id: SESSIONS.fetch_add(1, Ordering::Relaxed),
            labels: arrival.labels.iter().cloned().collect(),
            held: HashMap::new(),
            untold: HashSet::new(),
            reserved: 0,
            draining: known.draining,
            drains: 0,
            leaving: false,
            lease_until: known.lease_until,
            arrival,
            frames,
        };
        session.send(Frame::Welcome(Welcome {
            lease_ttl_ms: millis(self.config.lease_ttl),
            heartbeat_interval_ms: millis(self.config.heartbeat_interval),
            protocol_version: 1,
        }));
        let matched: HashSet<(RunId, Epoch)> = held.iter().map(|l| (l.run, l.epoch)).collect();
        for (run, epoch) in says.into_iter().filter(|l| !matched.contains(l)) {
            session.send(Frame::Revoke(Revoke {
                lease: Some(lease_ref(run, epoch)),
                code: "STALE_EPOCH".to_owned(),
            }));
        }
        for lease in held.iter().chain(&again) {
            session.hold(lease.run, lease.epoch, lease.lane.project);
        }
        let id = session.id;
        self.board().join(session);
        grants::resend(self, &again).await?;
        tracing::info!(
            worker,
            held = held.len(),
            lost = lost.len(),
            "worker connected"
        );
        self.wake_dispatcher();
        self.wake_reaper();
        if !lost.is_empty() {
            self.feed.wake();
            self.note(Note::Events);
        }
        Ok(id)
    }

    /// Compares what a heartbeat names with what is held here: what is not the worker's any more is revoked; what it does not name, two
    /// heartbeats in a row, it has not heard of or has forgotten.
    pub async fn compare(
        &self,
        worker: &str,
        session_id: u64,
        names: &[(RunId, Epoch)],
    ) -> Result<(), RunsError> {
        let forgotten = {
            let mut board = self.board();
            let Some(session) = board.session(worker).filter(|s| s.id == session_id) else {
                return Ok(());
            };
            session.compare(names)
        };
        if forgotten.is_empty() {
            return Ok(());
        }
        let mut conn = self.pool.acquire().await?;
        let stored = leases::of_workers(&mut conn, &[worker.to_owned()]).await?;
        let (running, unheard): (Vec<_>, Vec<_>) = stored
            .into_iter()
            .filter(|l| !l.releasing && forgotten.contains(&l.run))
            .partition(|l| l.running);
        if !running.is_empty() {
            let ids: Vec<uuid::Uuid> = running.iter().map(|l| l.run.uuid()).collect();
            leases::orphan(&mut conn, worker, &ids, "its worker has forgotten it").await?;
            let mut board = self.board();
            for lease in &running {
                board.drop_lease(worker, lease.run, lease.lane.project);
            }
            self.wake_reaper();
        }
        drop(conn);
        grants::resend(self, &unheard).await
    }

    /// A stream has ended. The leases live on.
    pub async fn disconnect(&self, arrival: &Arrival, session_id: u64) {
        if !self.board().leave(arrival.id.as_str(), session_id) {
            return;
        }
        tracing::info!(worker = %arrival.id, "worker disconnected");
        let left = async {
            let mut conn = self.pool.acquire().await?;
            workers::disconnect(&mut conn, &arrival.id, arrival.instance, self.replica).await
        };
        match left.await {
            Ok(()) => {}
            // All streams end at once, and the connections with them: where the workers go next, it is stored that they are there.
            Err(error) if self.shutdown.is_cancelled() => {
                tracing::debug!(worker = %arrival.id, %error, "cannot store that a worker left");
            }
            Err(error) => {
                tracing::warn!(worker = %arrival.id, %error, "cannot store that a worker left; its leases expire all the same");
            }
        }
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
impl Session {
    /// The stream of a worker that has just come, and what is sent to it.
    pub fn fresh(
        worker: &str,
        capacity: i32,
    ) -> (Self, mpsc::UnboundedReceiver<Result<LeaseResponse, Status>>) {
        let (frames, sent) = mpsc::unbounded_channel();
        let arrival = Arrival {
            id: worker.parse().unwrap(),
            instance: ck8s_types::InstanceId::new(),
            executor: "process".to_owned(),
            domain: "process".to_owned(),
            labels: Vec::new(),
            capacity,
            version: String::new(),
        };
        let session = Self {
            id: SESSIONS.fetch_add(1, Ordering::Relaxed),
            labels: HashSet::new(),
            held: HashMap::new(),
            untold: HashSet::new(),
            reserved: 0,
            draining: false,
            drains: 0,
            leaving: false,
            lease_until: OffsetDateTime::now_utc(),
            arrival,
            frames,
        };
        (session, sent)
    }
}
