//! The writers of logs: the pieces of all runs that have gathered go in one statement.
use std::collections::HashSet;

use ck8s_batch::Batches;
use ck8s_types::RunId;
use sqlx::PgPool;

use super::AppendLog;
use crate::{domain::NewLogChunk, error::RunsError, store::logs};

/// Appends that one statement stores: it bounds its size to 32 MiB.
pub(crate) const MAX_BATCH_APPENDS: usize = 32;

/// Stores pieces of logs until nobody can send any more. While one writer waits for its commit, another gathers.
pub(crate) async fn write_logs(pool: PgPool, mut batches: Batches<AppendLog>) {
    while let Some(gathered) = batches.next().await {
        let all: Vec<&NewLogChunk> = gathered.iter().flat_map(|a| &a.chunks).collect();
        let stored = store(&pool, &all).await;
        if let Err(error) = &stored {
            tracing::warn!(%error, appends = gathered.len(), "a batch of log pieces failed; trying one by one");
        }
        for append in gathered.drain(..) {
            let result = match &stored {
                Ok(stored) => Ok(count(&append, stored)),
                Err(_) => store(&pool, &append.chunks.iter().collect::<Vec<_>>())
                    .await
                    .map(|stored| count(&append, &stored)),
            };
            // The caller may be gone: what is stored is stored.
            let _ = append.reply.send(result);
        }
    }
}

async fn store(pool: &PgPool, chunks: &[&NewLogChunk]) -> Result<HashSet<(RunId, i64)>, RunsError> {
    let stored = logs::append(&mut *pool.acquire().await?, chunks).await?;
    Ok(stored.into_iter().collect())
}

fn count(append: &AppendLog, stored: &HashSet<(RunId, i64)>) -> usize {
    let is_stored = |c: &&NewLogChunk| stored.contains(&(c.lease.run_id, c.start));
    append.chunks.iter().filter(is_stored).count()
}
