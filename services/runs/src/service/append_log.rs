//! AppendLog: stores what workers read of their workloads' output.
use ck8s_types::{LeaseRef, RunId, WorkerId};

use crate::{
    domain::{LogAppend, LogAppendResult, LogEnd, LogStream, NewLogChunk},
    engine::Engine,
    error::RunsError,
    store::logs,
};

/// Data of one call, in bytes: the 1 MiB that the contract allows, and room for one piece more.
const MAX_CALL_BYTES: usize = 2 * 1024 * 1024;

/// Where a run's stored log ends, while this call appends to it.
struct OpenLog {
    lease: LeaseRef,
    /// Where it ended when the call began: the new pieces are cut from here on.
    first: i64,
    /// None: the epoch is stale.
    end: Option<LogEnd>,
    /// Where the source stood at its end, if somebody asked.
    position: String,
}

/// What one call appends.
struct AppendCall<'a> {
    engine: &'a Engine,
    /// The worker that calls, if a certificate says who it is.
    holder: Option<&'a WorkerId>,
    logs: Vec<OpenLog>,
    chunks: Vec<NewLogChunk>,
}

/// Appends to the logs of a worker's leases. Returns, for each append in order, where the log ends then.
pub(crate) async fn append_log(
    engine: &Engine,
    holder: Option<&WorkerId>,
    appends: Vec<LogAppend>,
) -> Result<Vec<LogAppendResult>, RunsError> {
    let bytes: usize = appends.iter().map(|a| a.data.len()).sum();
    if bytes > MAX_CALL_BYTES {
        return Err(RunsError::invalid("appends", "more than 1 MiB of data"));
    }
    let log_cap = engine.config.log_cap_bytes;
    let mut call = AppendCall {
        engine,
        holder,
        logs: Vec::new(),
        chunks: Vec::new(),
    };
    let mut results = Vec::with_capacity(appends.len());
    let mut grown: Vec<RunId> = Vec::new();
    for append in appends {
        let index = call.open(&append).await?;
        let log = &mut call.logs[index];
        let before = log.end.map(|end| end.offset);
        log.cut(&append, log_cap, &mut call.chunks);
        let end = log.end.map(|end| end.offset);
        if end > before && !grown.contains(&append.lease.run_id) {
            grown.push(append.lease.run_id);
        }
        results.push(LogAppendResult {
            lease: append.lease,
            end,
            truncated: end.is_some_and(|end| end >= log_cap),
            position: std::mem::take(&mut log.position),
        });
    }
    call.store(&mut results).await?;
    metrics::counter!("ck8s_log_bytes_total").increment(bytes as u64);
    for run in grown {
        // Without followers nobody needs to be woken.
        let _ = engine.log_growth.send(run);
    }
    Ok(results)
}

impl AppendCall<'_> {
    /// Returns the index of the log that an append goes to: as this call left it, as remembered if the append goes on
    /// there, else as stored.
    async fn open(&mut self, append: &LogAppend) -> Result<usize, RunsError> {
        let lease = append.lease;
        if let Some(index) = self.logs.iter().position(|log| log.lease == lease) {
            return Ok(index);
        }
        let remembered = self.engine.log_offsets.get(lease, self.holder);
        let mut position = String::new();
        let end = match remembered.filter(|end| end.offset == append.offset) {
            // Without data it is a question.
            _ if append.data.is_empty() => {
                let mut conn = self.engine.pool.acquire().await?;
                let found = logs::end_and_position_of(&mut conn, lease, self.holder).await?;
                found.map(|(end, stored)| {
                    position = stored.unwrap_or_default();
                    end
                })
            }
            Some(end) => Some(end),
            None => self.read_end(lease).await?,
        };
        self.logs.push(OpenLog {
            lease,
            first: end.map_or(0, |end| end.offset),
            end,
            position,
        });
        Ok(self.logs.len() - 1)
    }

    async fn read_end(&self, lease: LeaseRef) -> Result<Option<LogEnd>, RunsError> {
        let mut conn = self.engine.pool.acquire().await?;
        Ok(logs::end_of(&mut conn, lease, self.holder).await?)
    }

    /// Stores the new pieces and corrects the results where that did not go as planned.
    async fn store(mut self, results: &mut [LogAppendResult]) -> Result<(), RunsError> {
        let chunks = std::mem::take(&mut self.chunks);
        if chunks.is_empty() {
            return Ok(());
        }
        let planned = chunks.len();
        let all_stored = self.engine.append_log(chunks).await? == planned;
        for log in &self.logs {
            let mut end = log.end;
            if !all_stored {
                // The lease went while this call ran, or another replica stored the same pieces: say what is true now.
                end = self.read_end(log.lease).await?;
                let run_id = log.lease.run_id;
                for result in results.iter_mut().filter(|r| r.lease.run_id == run_id) {
                    result.end = end.map(|end| end.offset);
                }
            }
            self.engine.log_offsets.set(log.lease, self.holder, end);
        }
        Ok(())
    }
}

impl OpenLog {
    /// Cuts what of an append is new and in order. Leaves an append after a gap: the result says where the next one has
    /// to start.
    fn cut(&mut self, append: &LogAppend, log_cap: i64, chunks: &mut Vec<NewLogChunk>) {
        let (lease, first) = (self.lease, self.first);
        let Some(end) = &mut self.end else {
            return;
        };
        let known = usize::try_from(end.offset - append.offset).unwrap_or(usize::MAX);
        if end.offset < append.offset || known >= append.data.len() || end.offset >= log_cap {
            return;
        }
        let position = (!append.position.is_empty()).then(|| append.position.clone());
        let mut push = |end: &mut LogEnd, data: &[u8], stream: LogStream| {
            let start = end.offset;
            end.offset += i64::try_from(data.len()).unwrap_or(0);
            chunks.push(NewLogChunk {
                lease,
                attempt: end.attempt,
                start,
                end: end.offset,
                first,
                stream,
                data: lz4_flex::compress_prepend_size(data),
                position: position.clone(),
            });
        };
        push(end, &append.data[known..], append.stream);
        if end.offset >= log_cap {
            let notice = format!("\nck8s: the log is cut here, at {log_cap} bytes\n");
            push(end, notice.as_bytes(), LogStream::System);
        }
    }
}
