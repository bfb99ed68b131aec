//! The writers of logs: what has gathered of all runs goes in one statement. And the ends of the logs that are written here, in memory, so
//! that the database is not asked before each piece.
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use ck8s_types::{Epoch, RunId, WorkerId};
use sqlx::PgPool;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

use crate::{
    RunsError,
    store::logs::{self, NewChunk},
};

/// Writers: while one waits for its commit, the other gathers. Four stored no more bytes per second.
pub const WRITERS: usize = 2;
/// Appends that may wait; more wait at their senders. Each holds at most 1 MiB.
pub const QUEUE: usize = 64;
/// Appends of one statement.
const BATCH: usize = 32;
/// Ends that are remembered; beyond it all are forgotten, and read again.
const ENDS: usize = 10_000;

/// Pieces to store, and who waits for them.
pub struct Append {
    pub chunks: Vec<NewChunk>,
    /// Told how many of them were stored.
    pub reply: oneshot::Sender<Result<usize, RunsError>>,
}

/// Runs until nobody can send any more.
pub async fn run(pool: PgPool, queue: Arc<AsyncMutex<mpsc::Receiver<Append>>>) {
    let mut gathered = Vec::with_capacity(BATCH);
    while queue.lock().await.recv_many(&mut gathered, BATCH).await > 0 {
        let all: Vec<&NewChunk> = gathered.iter().flat_map(|a| &a.chunks).collect();
        let stored = store(&pool, &all).await;
        if let Err(error) = &stored {
            tracing::warn!(%error, appends = gathered.len(), "a batch of log pieces failed; trying one by one");
        }
        for append in gathered.drain(..) {
            let answer = match &stored {
                Ok(stored) => Ok(count(&append, stored)),
                Err(_) => store(&pool, &append.chunks.iter().collect::<Vec<_>>())
                    .await
                    .map(|stored| count(&append, &stored)),
            };
            // Who asked may be gone: what is stored is stored.
            let _ = append.reply.send(answer);
        }
    }
}

async fn store(pool: &PgPool, chunks: &[&NewChunk]) -> Result<HashSet<(RunId, i64)>, RunsError> {
    let stored = logs::append(&mut *pool.acquire().await?, chunks).await?;
    Ok(stored.into_iter().collect())
}

fn count(append: &Append, stored: &HashSet<(RunId, i64)>) -> usize {
    let is_stored = |c: &&NewChunk| stored.contains(&(c.run, c.start));
    append.chunks.iter().filter(is_stored).count()
}

/// A lease as a worker names it; the worker, if a certificate says who it is.
pub type LeaseOf<'a> = (RunId, Epoch, Option<&'a WorkerId>);

/// Where logs end that are written here: a hint. The key of the pieces tells when another replica has written meanwhile.
#[derive(Default)]
pub struct LogEnds(Mutex<HashMap<Key, (i32, i64)>>);

type Key = (RunId, Epoch, Option<WorkerId>);

fn key((run, epoch, holder): LeaseOf<'_>) -> Key {
    (run, epoch, holder.cloned())
}

impl LogEnds {
    /// The attempt and the end, if the log was written here before.
    pub fn get(&self, lease: LeaseOf<'_>) -> Option<(i32, i64)> {
        self.map().get(&key(lease)).copied()
    }

    /// It ends here now; none: that is not known any more.
    pub fn set(&self, lease: LeaseOf<'_>, end: Option<(i32, i64)>) {
        let mut ends = self.map();
        if ends.len() >= ENDS {
            ends.clear();
        }
        match end {
            Some(end) => ends.insert(key(lease), end),
            None => ends.remove(&key(lease)),
        };
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<Key, (i32, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
