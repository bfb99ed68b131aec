//! What runs by itself. One engine per process; several processes share one database.
//!
//! `board` knows the workers that are connected here, the lanes that may have runs and the slots that are free; `plan` puts them together,
//! and `dispatcher` turns that into leases; `creator`,
//! `transitions` and `heartbeats` write in batches what comes in; `reaper` finds what time has overtaken; `feed` tells watchers;
//! `wake` tells the other replicas.
mod board;
mod creator;
mod dispatcher;
mod feed;
mod grants;
mod heartbeats;
mod log_writer;
mod maintenance;
mod peers;
mod plan;
mod reaper;
mod sessions;
mod transitions;
mod wake;
mod writers;

use std::sync::{Arc, Mutex, MutexGuard};

use ck8s_rpc::mesh::Channel;
use ck8s_types::{ReplicaId, RunId};
use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use board::Board;
pub use creator::Creation;
pub use feed::{Feed, Told};
pub use heartbeats::Beat;
pub use log_writer::{Append, LeaseOf, LogEnds};
pub use peers::Peers;
pub use sessions::Arriving;
pub use transitions::{Change, Said};
pub use wake::Note;
pub use writers::Writers;

use crate::{RunsConfig, RunsError, domain::Outcome, store};

/// New runs that may wait to be written: bounds memory; beyond it, callers wait.
const CREATIONS: usize = 4096;
/// Likewise for transitions, of each of the two writers.
const TRANSITIONS: usize = 16_384;
/// Writers of transitions. A worker's messages always go to the same one, so they stay in order.
const TRANSITION_WRITERS: usize = 2;

/// Everything that the service's calls and tasks share.
pub struct Engine {
    pub pool: PgPool,
    pub writers: Writers,
    pub config: RunsConfig,
    pub replica: ReplicaId,
    pub peers: Peers,
    pub feed: Feed,
    pub shutdown: CancellationToken,
    board: Mutex<Board>,
    dispatch: Notify,
    reap: Notify,
    creations: mpsc::Sender<Creation>,
    transitions: Vec<mpsc::Sender<Said>>,
    beats: mpsc::Sender<Beat>,
    appends: mpsc::Sender<Append>,
    notes: mpsc::UnboundedSender<Note>,
    pub log_ends: LogEnds,
    /// Runs whose log has grown: wakes those who follow it.
    pub log_grew: tokio::sync::broadcast::Sender<RunId>,
}

impl Engine {
    /// Starts the tasks. They end with `shutdown`.
    pub async fn start(
        pool: PgPool,
        database_url: &str,
        channel: Channel,
        config: RunsConfig,
        shutdown: CancellationToken,
    ) -> Result<Arc<Self>, RunsError> {
        let (creations, creations_rx) = mpsc::channel(CREATIONS);
        let (transitions, transitions_rx): (Vec<_>, Vec<_>) = (0..TRANSITION_WRITERS)
            .map(|_| mpsc::channel(TRANSITIONS))
            .unzip();
        let (beats, beats_rx) = mpsc::channel(TRANSITIONS);
        let (appends, appends_rx) = mpsc::channel(log_writer::QUEUE);
        let (notes, notes_rx) = mpsc::unbounded_channel();
        let mut board = Board::default();
        board.learn_pools(store::pools::all(&mut *pool.acquire().await?).await?);
        let engine = Arc::new(Self {
            feed: Feed::new(),
            peers: Peers::new(channel),
            replica: ReplicaId::new(),
            board: Mutex::new(board),
            dispatch: Notify::new(),
            reap: Notify::new(),
            log_grew: tokio::sync::broadcast::channel(1024).0,
            pool,
            writers: Writers::connect(database_url).await?,
            config,
            shutdown,
            creations,
            transitions,
            beats,
            appends,
            log_ends: LogEnds::default(),
            notes,
        });
        let listener = ck8s_db::listen::Listener::connect(database_url, &[ck8s_db::channels::RUNS])
            .await
            .map_err(|e| RunsError::Corrupt(e.to_string()))?;
        tokio::spawn(creator::run(engine.clone(), creations_rx));
        for rx in transitions_rx {
            let pool = writers::connect(database_url).await?;
            tokio::spawn(transitions::run(engine.clone(), pool, rx));
        }
        let appends_rx = Arc::new(tokio::sync::Mutex::new(appends_rx));
        for _ in 0..log_writer::WRITERS {
            let pool = writers::connect(database_url).await?;
            tokio::spawn(log_writer::run(pool, appends_rx.clone()));
        }
        tokio::spawn(heartbeats::run(engine.clone(), beats_rx));
        tokio::spawn(dispatcher::run(engine.clone()));
        tokio::spawn(reaper::run(engine.clone()));
        tokio::spawn(feed::run(engine.clone()));
        tokio::spawn(wake::send(engine.clone(), notes_rx));
        tokio::spawn(wake::receive(engine.clone(), listener));
        tokio::spawn(maintenance::run(engine.clone()));
        Ok(engine)
    }

    /// The board. Held for moments, never across an await.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Something may be there to be leased.
    pub fn wake_dispatcher(&self) {
        self.dispatch.notify_one();
    }

    /// Something may be there to be reaped.
    pub fn wake_reaper(&self) {
        self.reap.notify_one();
    }

    /// Tells the other replicas, soon and together with what else there is to tell.
    pub fn note(&self, note: Note) {
        // The receiver lives as long as the engine's tasks; after them nobody needs to be told.
        let _ = self.notes.send(note);
    }

    /// Hands new runs to the writer.
    pub async fn create(&self, creation: Creation) -> Result<(), RunsError> {
        self.creations
            .send(creation)
            .await
            .map_err(|_| RunsError::Stopping)
    }

    /// Hands what a worker said to the writer.
    pub async fn say(&self, said: Said) -> Result<(), RunsError> {
        let shard = said.shard() % self.transitions.len();
        self.transitions[shard]
            .send(said)
            .await
            .map_err(|_| RunsError::Stopping)
    }

    /// Stores pieces of logs. Returns how many were stored.
    pub async fn append(&self, chunks: Vec<store::logs::NewChunk>) -> Result<usize, RunsError> {
        let (reply, answer) = oneshot::channel();
        self.appends
            .send(Append { chunks, reply })
            .await
            .map_err(|_| RunsError::Stopping)?;
        answer.await.map_err(|_| RunsError::Stopping)?
    }

    /// Hands a heartbeat to the writer.
    pub async fn beat(&self, beat: Beat) -> Result<(), RunsError> {
        self.beats.send(beat).await.map_err(|_| RunsError::Stopping)
    }

    /// Ends a run from the server's side, in the caller's transaction. False: it had ended.
    pub async fn end_in(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        run: RunId,
        outcome: &Outcome,
        actor: &str,
        after: &mut AfterEnd,
    ) -> Result<bool, RunsError> {
        let Some(ended) = store::end::end(tx, run, outcome, actor).await? else {
            return Ok(false);
        };
        if let (None, Some(group)) = (&ended.lease, &ended.group) {
            store::groups::lock(tx, ended.project, group).await?;
            after
                .opened
                .extend(store::groups::promote(tx, ended.project, group).await?);
        }
        after.ended.push((ended, outcome.reason));
        Ok(true)
    }

    /// What follows once the transaction that ended runs is committed: workers are told to stop, lanes may move on.
    pub fn after_end(&self, after: AfterEnd) {
        {
            let mut board = self.board();
            for (lane, place) in after.opened {
                board.fair.opened(lane, place);
                self.note(Note::Opened(lane, place));
            }
            for (ended, reason) in &after.ended {
                if let Some((epoch, Some(worker))) = &ended.lease
                    && !board.cancel(worker, ended.run, *epoch, *reason)
                {
                    self.note(Note::Cancel(worker.clone()));
                }
            }
        }
        self.wake_dispatcher();
        self.feed.wake();
        self.note(Note::Events);
    }
}

/// What has to be done after a transaction that ended runs.
#[derive(Default)]
pub struct AfterEnd {
    opened: Vec<(crate::domain::Lane, crate::domain::Place)>,
    ended: Vec<(store::end::Ended, ck8s_types::RunReason)>,
}

impl Engine {
    /// The number of a set of labels, where it is known.
    pub fn known_pool(&self, labels: &[String]) -> Option<crate::domain::PoolId> {
        self.board().pool_of(labels)
    }

    /// Remembers the number of a set of labels.
    pub fn learn_pool(&self, pool: crate::domain::PoolId, labels: Vec<String>) {
        self.board().learn_pools([(pool, labels)]);
    }

    /// How many leases a worker can hold, from now on.
    pub fn set_capacity(&self, worker: &str, capacity: i32) {
        if let Some(session) = self.board().session(worker) {
            session.arrival.capacity = capacity;
        }
        self.wake_dispatcher();
    }

    /// A worker has said that it goes.
    pub fn leaves(&self, worker: &str, session: u64) {
        if let Some(session) = self.board().session(worker).filter(|s| s.id == session) {
            session.leaving = true;
        }
    }

    /// A worker takes no more work, or takes it again, because somebody asked for it.
    pub fn set_draining(&self, worker: &str, draining: bool) {
        if let Some(session) = self.board().session(worker) {
            session.draining = draining;
            session.drains += 1;
        }
        self.wake_dispatcher();
    }

    /// A project's number of slots changed.
    pub fn slots_changed(&self, project: ck8s_types::ProjectId) {
        {
            let mut board = self.board();
            board.slots.reset(project);
            board.fair.reopened(project);
        }
        self.note(Note::Slots(project));
        self.wake_dispatcher();
    }
}
