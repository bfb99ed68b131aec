//! AppendLog and ReadLog.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{convert::timestamp, status};
use ck8s_types::{Epoch, RunId, WorkerId};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use super::{
    Streaming,
    read::{reached, visible_run},
};
use crate::{
    RunsError,
    convert::parse_lease_ref,
    domain::Run,
    engine::{Engine, LeaseOf},
    store::{
        logs::{self, Chunk, NewChunk},
        runs,
    },
};

/// Most data of one AppendLog, and a little for one piece more.
const MOST_DATA: usize = 2 * 1024 * 1024;
/// Pieces of one reading.
const PAGE: i64 = 64;
/// How often a follower looks by itself: pieces that another replica stored wake nobody here.
const LOOK: Duration = Duration::from_millis(200);

/// Where a run's stored log ends, while this call appends to it.
struct End {
    run: RunId,
    epoch: Epoch,
    /// Where it ended when the call began: what is new is cut from here on.
    first: i64,
    /// None: the epoch is stale.
    at: Option<(i32, i64)>,
}

pub async fn append_log(
    engine: &Engine,
    holder: Option<WorkerId>,
    asked: pb::AppendLogRequest,
) -> Result<pb::AppendLogResponse, Status> {
    let data: usize = asked
        .appends
        .iter()
        .filter_map(|a| a.chunk.as_ref())
        .map(|c| c.data.len())
        .sum();
    if data > MOST_DATA {
        return Err(status::invalid("appends", "more than 1 MiB of data"));
    }
    let holder = holder.as_ref();
    let mut ends: Vec<End> = Vec::new();
    let (mut new, mut results, mut grown) = (Vec::new(), Vec::new(), Vec::new());
    for append in asked.appends {
        let (run, epoch) = parse_lease_ref(append.lease.as_ref())?;
        let chunk = append.chunk.unwrap_or_default();
        let end = end_of(engine, &mut ends, (run, epoch, holder), chunk.offset).await?;
        let before = end.at.map(|(_, at)| at);
        take(&mut new, end, &chunk, engine.config.log_cap_bytes);
        let at = end.at.map(|(_, at)| at);
        if at > before && !grown.contains(&run) {
            grown.push(run);
        }
        let result = pb::LogAppendResult {
            end_offset: at.unwrap_or(0),
            stale: at.is_none(),
            truncated: at.is_some_and(|at| at >= engine.config.log_cap_bytes),
        };
        results.push((run, result));
    }
    if !new.is_empty() {
        let wanted = new.len();
        let all_stored = engine.append(new).await? == wanted;
        for end in &mut ends {
            if !all_stored {
                // The lease went while this call ran, or another replica stored the same pieces: say what is true now.
                end.at = read_end(engine, (end.run, end.epoch, holder)).await?;
                for (_, result) in results.iter_mut().filter(|(run, _)| *run == end.run) {
                    result.stale = end.at.is_none();
                    result.end_offset = end.at.map_or(0, |(_, at)| at);
                }
            }
            engine.log_ends.set((end.run, end.epoch, holder), end.at);
        }
    }
    metrics::counter!("ck8s_log_bytes_total").increment(data as u64);
    for run in grown {
        // Nobody follows: nobody needs to be woken.
        let _ = engine.log_grew.send(run);
    }
    Ok(pb::AppendLogResponse {
        results: results.into_iter().map(|(_, r)| r).collect(),
    })
}

/// Where the log ends: as this call left it, as remembered if the piece goes on there, else as stored.
async fn end_of<'a>(
    engine: &Engine,
    ends: &'a mut Vec<End>,
    lease: LeaseOf<'_>,
    offset: i64,
) -> Result<&'a mut End, RunsError> {
    let (run, epoch, _) = lease;
    if let Some(i) = ends.iter().position(|e| e.run == run && e.epoch == epoch) {
        return Ok(&mut ends[i]);
    }
    let remembered = engine.log_ends.get(lease);
    let at = match remembered.filter(|(_, at)| *at == offset) {
        Some(end) => Some(end),
        None => read_end(engine, lease).await?,
    };
    ends.push(End {
        run,
        epoch,
        first: at.map_or(0, |(_, at)| at),
        at,
    });
    let last = ends.len() - 1;
    Ok(&mut ends[last])
}

async fn read_end(
    engine: &Engine,
    (run, epoch, holder): LeaseOf<'_>,
) -> Result<Option<(i32, i64)>, RunsError> {
    Ok(logs::end_of(&mut *engine.pool.acquire().await?, run, epoch, holder).await?)
}

/// Takes what of the piece is new and in order. A piece after a gap is left: the answer says where the next one has to start.
fn take(new: &mut Vec<NewChunk>, end: &mut End, chunk: &pb::LogChunk, cap: i64) {
    let (run, epoch, first) = (end.run, end.epoch, end.first);
    let Some((attempt, at)) = &mut end.at else {
        return;
    };
    let known = usize::try_from(*at - chunk.offset).unwrap_or(usize::MAX);
    if *at < chunk.offset || known >= chunk.data.len() || *at >= cap {
        return;
    }
    let mut push = |at: &mut i64, data: &[u8], system: bool| {
        let start = *at;
        *at += i64::try_from(data.len()).unwrap_or(0);
        new.push(NewChunk {
            run,
            epoch,
            attempt: *attempt,
            start,
            end: *at,
            first,
            system,
            data: lz4_flex::compress_prepend_size(data),
        });
    };
    push(
        at,
        &chunk.data[known..],
        chunk.stream() == pb::LogStream::System,
    );
    if *at >= cap {
        push(
            at,
            format!("\nck8s: the log is cut here, at {cap} bytes\n").as_bytes(),
            true,
        );
    }
}

/// One reader of one log.
struct Reader {
    run: RunId,
    attempt: i32,
    offset: i64,
    /// Go on to the attempts that follow.
    last: bool,
    out: mpsc::Sender<Result<pb::ReadLogResponse, Status>>,
}

pub async fn read_log(
    engine: &Arc<Engine>,
    request: &Request<pb::ReadLogRequest>,
) -> Result<Streaming<pb::ReadLogResponse>, Status> {
    let asked = request.get_ref();
    let run_id = visible_run(request, &asked.run_id)?;
    let run = {
        let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
        reached(&mut conn, request, run_id).await?
    };
    if asked.attempt < 0 || asked.attempt > run.attempt {
        return Err(status::invalid(
            "attempt",
            format!("the run has {} attempts", run.attempt),
        ));
    }
    let (out, stream) = mpsc::channel(16);
    let reader = Reader {
        run: run_id,
        attempt: if asked.attempt == 0 {
            run.attempt
        } else {
            asked.attempt
        },
        offset: asked.offset.max(0),
        last: asked.attempt == 0,
        out,
    };
    let (engine, follow) = (engine.clone(), asked.follow);
    let grew = engine.log_grew.subscribe();
    tokio::spawn(async move {
        let out = reader.out.clone();
        if let Err(error) = reader.read(&engine, grew, follow).await {
            let _ = out.send(Err(error.into())).await;
        }
    });
    Ok(Box::pin(ReceiverStream::new(stream)))
}

impl Reader {
    async fn read(
        mut self,
        engine: &Engine,
        mut grew: broadcast::Receiver<RunId>,
        follow: bool,
    ) -> Result<(), RunsError> {
        if self.send(Vec::new(), false).await {
            return Ok(());
        }
        loop {
            // First whether it goes on, then what there is: so nothing that was stored before its end is missed.
            let run = runs::get(&mut *engine.pool.acquire().await?, self.run).await?;
            if self.drain(engine).await? {
                return Ok(());
            }
            if self.last && run.attempt > self.attempt {
                self.attempt += 1;
                self.offset = 0;
            } else if !follow || self.is_over(&run) || self.wait(engine, &mut grew).await {
                return Ok(());
            }
        }
    }

    fn is_over(&self, run: &Run) -> bool {
        run.state.is_terminal() || run.attempt > self.attempt
    }

    /// Sends all that is stored. True: the reader is gone.
    async fn drain(&mut self, engine: &Engine) -> Result<bool, RunsError> {
        loop {
            let found = {
                let mut conn = engine.pool.acquire().await?;
                logs::read(&mut conn, self.run, self.attempt, self.offset, PAGE).await?
            };
            let Some(last) = found.last() else {
                return Ok(false);
            };
            let (end, full) = (last.end, found.len() as i64 == PAGE);
            let mut chunks = Vec::with_capacity(found.len());
            for chunk in found {
                chunks.push(self.piece(&chunk)?);
            }
            self.offset = end;
            if self.send(chunks, end >= engine.config.log_cap_bytes).await {
                return Ok(true);
            }
            if !full {
                return Ok(false);
            }
        }
    }

    /// The piece from the offset on that was asked for.
    fn piece(&self, chunk: &Chunk) -> Result<pb::LogChunk, RunsError> {
        let data = lz4_flex::decompress_size_prepended(&chunk.data)
            .map_err(|e| RunsError::Corrupt(e.to_string()))?;
        let skip = usize::try_from(self.offset - chunk.start)
            .unwrap_or(0)
            .min(data.len());
        let stream = if chunk.system {
            pb::LogStream::System
        } else {
            pb::LogStream::Output
        };
        Ok(pb::LogChunk {
            offset: chunk.start + i64::try_from(skip).unwrap_or(0),
            data: Bytes::from(data).slice(skip..),
            time: Some(timestamp(chunk.recorded_at)),
            stream: stream.into(),
            attempt: self.attempt,
        })
    }

    /// True: the reader is gone.
    async fn send(&self, chunks: Vec<pb::LogChunk>, truncated: bool) -> bool {
        self.out
            .send(Ok(pb::ReadLogResponse { chunks, truncated }))
            .await
            .is_err()
    }

    /// Until there may be more. True: nobody reads, or the server stops.
    async fn wait(&self, engine: &Engine, grew: &mut broadcast::Receiver<RunId>) -> bool {
        let look = tokio::time::sleep(LOOK);
        tokio::pin!(look);
        loop {
            tokio::select! {
                run = grew.recv() => if !matches!(run, Ok(id) if id != self.run) { return false },
                () = &mut look => return false,
                () = self.out.closed() => return true,
                () = engine.shutdown.cancelled() => return true,
            }
        }
    }
}
