//! ReadLog: the log of a run, as far as it is stored and as it grows.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ck8s_types::RunId;
use tokio::sync::{broadcast, mpsc};

use super::Requester;
use crate::{
    domain::{LogChunk, Run},
    engine::Engine,
    error::RunsError,
    store::{logs, runs},
};

/// Pieces of one reading: it bounds the memory that a reading takes.
const MAX_PAGE_CHUNKS: i64 = 64;
/// Pages that may wait for a slow reader.
const MAX_QUEUED_PAGES: usize = 16;
/// How often a follower looks by itself: pieces that another replica stored wake nobody here.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// What somebody wants to read.
pub(crate) struct LogRequest {
    pub run: RunId,
    /// None: the current attempt, and those that follow.
    pub attempt: Option<i32>,
    /// Where to start, in bytes.
    pub offset: i64,
    /// Wait for more until the attempt has ended.
    pub follow: bool,
}

/// Pieces of a log.
pub(crate) struct LogPage {
    pub chunks: Vec<LogChunk>,
    /// The log has reached its limit: what came after was dropped.
    pub truncated: bool,
}

/// One reader of one log.
struct Reader {
    run: RunId,
    attempt: i32,
    offset: i64,
    follow: bool,
    /// Go on to the attempts that follow.
    later_attempts: bool,
    out: mpsc::Sender<Result<LogPage, RunsError>>,
}

/// Whether the reader of a log is still there.
#[derive(PartialEq, Eq)]
enum Connection {
    Open,
    Closed,
}

/// Starts to read a log. Returns its pages.
pub(crate) async fn read_log(
    engine: &Arc<Engine>,
    requester: &Requester,
    request: LogRequest,
) -> Result<mpsc::Receiver<Result<LogPage, RunsError>>, RunsError> {
    requester.check_visible(request.run)?;
    let run = {
        let mut conn = engine.pool.acquire().await?;
        requester.run(&mut conn, request.run).await?
    };
    if !(0..=run.attempt).contains(&request.attempt.unwrap_or(0)) {
        let problem = format!("the run has {} attempts", run.attempt);
        return Err(RunsError::invalid("attempt", problem));
    }
    let (out, pages) = mpsc::channel(MAX_QUEUED_PAGES);
    let reader = Reader {
        run: request.run,
        attempt: request.attempt.unwrap_or(run.attempt),
        offset: request.offset.max(0),
        follow: request.follow,
        later_attempts: request.attempt.is_none(),
        out,
    };
    let engine = engine.clone();
    let growth = engine.log_growth.subscribe();
    tokio::spawn(async move {
        let out = reader.out.clone();
        if let Err(error) = reader.read(&engine, growth).await {
            let _ = out.send(Err(error)).await;
        }
    });
    Ok(pages)
}

impl Reader {
    async fn read(
        mut self,
        engine: &Engine,
        mut growth: broadcast::Receiver<RunId>,
    ) -> Result<(), RunsError> {
        // The stream begins at once, also where nothing is stored.
        if self.send(Vec::new(), false).await == Connection::Closed {
            return Ok(());
        }
        loop {
            // First whether it goes on, then what there is: so nothing that was stored before its end is missed.
            let run = runs::get(&mut *engine.pool.acquire().await?, self.run).await?;
            if self.drain(engine).await? == Connection::Closed {
                return Ok(());
            }
            if self.later_attempts && run.attempt > self.attempt {
                self.attempt += 1;
                self.offset = 0;
            } else if !self.follow
                || self.is_over(&run)
                || self.wait(engine, &mut growth).await == Connection::Closed
            {
                return Ok(());
            }
        }
    }

    fn is_over(&self, run: &Run) -> bool {
        run.state.is_terminal() || run.attempt > self.attempt
    }

    /// Sends all that is stored.
    async fn drain(&mut self, engine: &Engine) -> Result<Connection, RunsError> {
        loop {
            let found = {
                let mut conn = engine.pool.acquire().await?;
                logs::read(
                    &mut conn,
                    self.run,
                    self.attempt,
                    self.offset,
                    MAX_PAGE_CHUNKS,
                )
                .await?
            };
            let Some(end) = found.last().map(|last| last.end) else {
                return Ok(Connection::Open);
            };
            let is_full = found.len() as i64 == MAX_PAGE_CHUNKS;
            let mut chunks = Vec::with_capacity(found.len());
            for chunk in &found {
                chunks.push(self.unpack(chunk)?);
            }
            self.offset = end;
            let truncated = end >= engine.config.log_cap_bytes;
            if self.send(chunks, truncated).await == Connection::Closed {
                return Ok(Connection::Closed);
            }
            if !is_full {
                return Ok(Connection::Open);
            }
        }
    }

    /// Returns what a stored piece holds from the reader's offset on.
    fn unpack(&self, chunk: &LogChunk) -> Result<LogChunk, RunsError> {
        let data = lz4_flex::decompress_size_prepended(&chunk.data)
            .map_err(|e| RunsError::Corrupt(e.to_string()))?;
        let skipped = usize::try_from(self.offset - chunk.start)
            .unwrap_or(0)
            .min(data.len());
        Ok(LogChunk {
            attempt: chunk.attempt,
            start: chunk.start + i64::try_from(skipped).unwrap_or(0),
            end: chunk.end,
            stream: chunk.stream,
            data: Bytes::from(data).slice(skipped..),
            recorded_at: chunk.recorded_at,
        })
    }

    async fn send(&self, chunks: Vec<LogChunk>, truncated: bool) -> Connection {
        match self.out.send(Ok(LogPage { chunks, truncated })).await {
            Ok(()) => Connection::Open,
            Err(_) => Connection::Closed,
        }
    }

    /// Waits until there may be more. Closed: nobody reads, or the server stops.
    async fn wait(&self, engine: &Engine, growth: &mut broadcast::Receiver<RunId>) -> Connection {
        let poll = tokio::time::sleep(POLL_INTERVAL);
        tokio::pin!(poll);
        loop {
            tokio::select! {
                run = growth.recv() => if !matches!(run, Ok(id) if id != self.run) { return Connection::Open },
                () = &mut poll => return Connection::Open,
                () = self.out.closed() => return Connection::Closed,
                () = engine.shutdown.cancelled() => return Connection::Closed,
            }
        }
    }
}
