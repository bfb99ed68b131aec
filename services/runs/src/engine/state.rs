//! The engine: what the service's calls and tasks share.
use std::{sync::Arc, time::Duration};

use ck8s_types::{InstallationId, ProjectId, ReplicaId, RunId, WorkerId};
use parking_lot::{Mutex, MutexGuard};
use sqlx::PgPool;
use tokio::sync::{Notify, broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    AppendLog, ChangeFeed, Connections, CreateRuns, Heartbeat, LogOffsets, ReplicaNotice, Scheduler,
};
use crate::{
    config::RunsConfig,
    domain::{Clusters, HeldSlot, NewLogChunk, QueuedRun, StreamId, TransitionMessage},
    error::RunsError,
    peers::Peers,
};

/// Calls to create runs that may wait for the writer: bounds memory; beyond it, callers wait.
const MAX_QUEUED_CREATIONS: usize = 4096;
/// Transitions that may wait for each of their writers, and heartbeats for theirs: bounds memory; beyond it, streams
/// wait.
const MAX_QUEUED_TRANSITIONS: usize = 16_384;
/// Writers of transitions. A worker's messages always go to the same one, so they stay in order.
const TRANSITION_WRITERS: usize = 2;
/// Appends of logs that may wait; more wait at their senders. Each holds at most 1 MiB.
const MAX_QUEUED_APPENDS: usize = 64;
/// Runs whose log grew, that a reader of a log may lag behind: it then looks by itself.
const LOG_GROWTH_BACKLOG: usize = 1024;

/// A process dies with its lease: its guard sees to it. This long after the lease's end it is certainly gone.
pub(crate) const PROCESS_GONE: Duration = Duration::from_secs(3);

/// What the service's calls and tasks share. One per process; several processes share one database.
pub(crate) struct Engine {
    pub pool: PgPool,
    pub connections: Connections,
    pub config: RunsConfig,
    pub replica: ReplicaId,
    /// Whose servers these are: all that share the database.
    pub installation: InstallationId,
    pub peers: Peers,
    pub feed: ChangeFeed,
    /// Which cursors mean places in this database.
    pub clusters: Clusters,
    pub shutdown: CancellationToken,
    pub log_offsets: LogOffsets,
    /// Runs whose log has grown: wakes those who follow it.
    pub log_growth: broadcast::Sender<RunId>,
    /// Wakes the dispatcher.
    pub(super) dispatch: Notify,
    /// Wakes the reaper.
    pub reap: Notify,
    scheduler: Mutex<Scheduler>,
    creations: mpsc::Sender<CreateRuns>,
    transitions: Vec<mpsc::Sender<TransitionMessage>>,
    heartbeats: mpsc::Sender<Heartbeat>,
    log_appends: mpsc::Sender<AppendLog>,
    notices: mpsc::UnboundedSender<ReplicaNotice>,
}

/// What an engine is made of.
pub(crate) struct EngineParts {
    pub pool: PgPool,
    pub connections: Connections,
    pub peers: Peers,
    pub installation: InstallationId,
    pub clusters: Clusters,
    pub config: RunsConfig,
}

/// The receiving ends of the engine's queues, for its writers and tasks.
pub(crate) struct Queues {
    pub creations: mpsc::Receiver<CreateRuns>,
    /// One for each writer.
    pub transitions: Vec<mpsc::Receiver<TransitionMessage>>,
    pub heartbeats: mpsc::Receiver<Heartbeat>,
    pub log_appends: mpsc::Receiver<AppendLog>,
    pub notices: mpsc::UnboundedReceiver<ReplicaNotice>,
}

impl Engine {
    /// Makes the engine, without its writers and tasks.
    pub(crate) fn new(parts: EngineParts, shutdown: CancellationToken) -> (Arc<Self>, Queues) {
        let EngineParts {
            pool,
            connections,
            peers,
            installation,
            clusters,
            config,
        } = parts;
        let (creations, creations_rx) = mpsc::channel(MAX_QUEUED_CREATIONS);
        let (transitions, transitions_rx) = (0..TRANSITION_WRITERS)
            .map(|_| mpsc::channel(MAX_QUEUED_TRANSITIONS))
            .unzip();
        let (heartbeats, heartbeats_rx) = mpsc::channel(MAX_QUEUED_TRANSITIONS);
        let (log_appends, log_appends_rx) = mpsc::channel(MAX_QUEUED_APPENDS);
        let (notices, notices_rx) = mpsc::unbounded_channel();
        let engine = Self {
            pool,
            connections,
            config,
            replica: ReplicaId::new(),
            installation,
            peers,
            feed: ChangeFeed::default(),
            clusters,
            shutdown,
            log_offsets: LogOffsets::default(),
            log_growth: broadcast::channel(LOG_GROWTH_BACKLOG).0,
            dispatch: Notify::new(),
            reap: Notify::new(),
            scheduler: Mutex::default(),
            creations,
            transitions,
            heartbeats,
            log_appends,
            notices,
        };
        let queues = Queues {
            creations: creations_rx,
            transitions: transitions_rx,
            heartbeats: heartbeats_rx,
            log_appends: log_appends_rx,
            notices: notices_rx,
        };
        (Arc::new(engine), queues)
    }

    /// Locks the scheduler. Held for moments, never across an await.
    pub(crate) fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        self.scheduler.lock()
    }

    /// Wakes the dispatcher: something may be there to be leased.
    pub(crate) fn wake_dispatcher(&self) {
        self.dispatch.notify_one();
    }

    /// Wakes the reaper: something may be there to be reaped.
    pub(crate) fn wake_reaper(&self) {
        self.reap.notify_one();
    }

    /// Tells the other replicas, soon and together with what else there is to tell.
    pub(crate) fn notify_replicas(&self, notice: ReplicaNotice) {
        // The receiver lives as long as the engine's tasks; after them nobody needs to be told.
        let _ = self.notices.send(notice);
    }

    /// Tells the watchers, here and at the other replicas, that flow events were written.
    pub(crate) fn events_written(&self) {
        self.feed.wake();
        self.notify_replicas(ReplicaNotice::EventsWritten);
    }

    /// Hands new runs to the writer.
    pub(crate) async fn create(&self, creation: CreateRuns) -> Result<(), RunsError> {
        self.creations
            .send(creation)
            .await
            .map_err(|_| RunsError::Stopping)
    }

    /// Hands a worker's message about a lease to the writer of that worker's messages.
    pub(crate) async fn report(&self, message: TransitionMessage) -> Result<(), RunsError> {
        let shard = shard(&message.holder.worker) % self.transitions.len();
        self.transitions[shard]
            .send(message)
            .await
            .map_err(|_| RunsError::Stopping)
    }

    /// Stores pieces of logs. Returns how many were stored.
    pub(crate) async fn append_log(&self, chunks: Vec<NewLogChunk>) -> Result<usize, RunsError> {
        let (reply, stored) = oneshot::channel();
        self.log_appends
            .send(AppendLog { chunks, reply })
            .await
            .map_err(|_| RunsError::Stopping)?;
        stored.await.map_err(|_| RunsError::Stopping)?
    }

    /// Hands a heartbeat to the task that renews leases.
    pub(crate) async fn renew(&self, heartbeat: Heartbeat) -> Result<(), RunsError> {
        self.heartbeats
            .send(heartbeat)
            .await
            .map_err(|_| RunsError::Stopping)
    }

    /// Sets how many leases a worker can hold from now on.
    pub(crate) fn set_capacity(&self, worker: &WorkerId, capacity: i32) {
        if let Some(session) = self.scheduler().session(worker) {
            session.hello.capacity = capacity;
        }
        self.wake_dispatcher();
    }

    /// Notes that a worker has said on this stream that it goes.
    pub(crate) fn set_leaving(&self, worker: &WorkerId, stream: StreamId) {
        if let Some(session) = self.scheduler().session_on(worker, stream) {
            session.leaving = true;
        }
    }

    /// Sets whether a worker takes no more work, because somebody asked for it.
    pub(crate) fn set_draining(&self, worker: &WorkerId, draining: bool) {
        if let Some(session) = self.scheduler().session(worker) {
            session.draining = draining;
            session.drain_changes += 1;
        }
        self.wake_dispatcher();
    }

    /// Notes that somebody has freed a slot, and what goes on because of it.
    pub(crate) fn slot_freed(&self, project: ProjectId, held: &HeldSlot, next: Option<QueuedRun>) {
        {
            let mut scheduler = self.scheduler();
            match &held.worker {
                Some(worker) => scheduler.drop_lease(worker, held.lease.run_id, project),
                None => scheduler.slots_may_be_free(project),
            }
            if let Some(run) = next {
                scheduler.run_queued(run);
                self.notify_replicas(ReplicaNotice::RunQueued(run));
            }
        }
        self.notify_replicas(ReplicaNotice::SlotFreed(project));
        self.wake_dispatcher();
    }

    /// Notes that a project's number of slots changed.
    pub(crate) fn slots_changed(&self, project: ProjectId) {
        self.scheduler().slots_changed(project);
        self.notify_replicas(ReplicaNotice::SlotsChanged(project));
        self.wake_dispatcher();
    }
}

/// Which writer of transitions takes a worker's messages: always the same, so that they stay in order.
fn shard(worker: &WorkerId) -> usize {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    worker.hash(&mut hasher);
    usize::try_from(hasher.finish() >> 1 & 0xffff).unwrap_or(0)
}
