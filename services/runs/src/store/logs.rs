//! Logs: compressed pieces in the order of their offsets.
use bytes::Bytes;
use ck8s_types::{LeaseRef, RunId, WorkerId};
use sqlx::PgConnection;

use crate::domain::{LogChunk, LogEnd, LogStream, NewLogChunk};

/// Stores the pieces whose lease still has their epoch. Returns the run and the start of those that it stored. A piece
/// is not stored if the log has a piece already where the first of those starts that were cut together with it: another
/// replica was faster, and cut the data differently.
pub(crate) async fn append(
    conn: &mut PgConnection,
    chunks: &[&NewLogChunk],
) -> sqlx::Result<Vec<(RunId, i64)>> {
    let number = |f: fn(&NewLogChunk) -> i64| chunks.iter().map(|c| f(c)).collect::<Vec<_>>();
    let rows = sqlx::query!(
        r#"
        INSERT INTO runs.log_chunks (run_id, attempt, start_offset, end_offset, stream, data, position)
        SELECT i.run_id, i.attempt, i.start_offset, i.end_offset, CASE WHEN i.system THEN 'system' ELSE 'output' END, i.data, i.position
        FROM unnest($1::uuid[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::bool[], $7::bytea[], $8::bigint[], $9::text[])
            AS i(run_id, epoch, attempt, start_offset, end_offset, system, data, first_offset, position)
        WHERE EXISTS (SELECT FROM runs.leases l WHERE l.run_id = ANY(ARRAY[i.run_id]) AND l.epoch = i.epoch AND l.attempt = i.attempt)
            AND NOT EXISTS (SELECT FROM runs.log_chunks c
                WHERE c.run_id = ANY(ARRAY[i.run_id]) AND c.attempt = i.attempt AND c.start_offset = i.first_offset)
        ON CONFLICT DO NOTHING
        RETURNING run_id, start_offset
        "#,
        &chunks.iter().map(|c| c.lease.run_id.uuid()).collect::<Vec<_>>(),
        &number(|c| c.lease.epoch.0),
        &chunks.iter().map(|c| c.attempt).collect::<Vec<_>>(),
        &number(|c| c.start),
        &number(|c| c.end),
        &chunks.iter().map(|c| c.stream == LogStream::System).collect::<Vec<_>>(),
        &chunks.iter().map(|c| c.data.as_slice()).collect::<Vec<_>>() as &[&[u8]],
        &number(|c| c.first),
        &chunks.iter().map(|c| c.position.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| (RunId::from(r.run_id), r.start_offset))
        .collect())
}

/// Returns where the log of a lease's attempt ends. None: the epoch is stale, or the lease is not this worker's.
pub(crate) async fn end_of(
    conn: &mut PgConnection,
    lease: LeaseRef,
    holder: Option<&WorkerId>,
) -> sqlx::Result<Option<LogEnd>> {
    sqlx::query!(
        r#"SELECT l.attempt, coalesce((SELECT end_offset FROM runs.log_chunks c WHERE c.run_id = l.run_id AND c.attempt = l.attempt
               ORDER BY start_offset DESC LIMIT 1), 0) AS "end_offset!"
           FROM runs.leases l WHERE l.run_id = $1 AND l.epoch = $2 AND ($3::text IS NULL OR l.worker_id = $3)"#,
        lease.run_id.uuid(),
        lease.epoch.0,
        holder.map(WorkerId::as_str)
    )
    .fetch_optional(conn)
    .await
    .map(|row| {
        row.map(|r| LogEnd {
            attempt: r.attempt,
            offset: r.end_offset,
        })
    })
}

/// Returns where a log ends, and where its source stood then, as far as it was said. None: as for [`end_of`].
pub(crate) async fn end_and_position_of(
    conn: &mut PgConnection,
    lease: LeaseRef,
    holder: Option<&WorkerId>,
) -> sqlx::Result<Option<(LogEnd, Option<String>)>> {
    let row = sqlx::query!(
        r#"SELECT l.attempt, coalesce((SELECT end_offset FROM runs.log_chunks c WHERE c.run_id = l.run_id AND c.attempt = l.attempt
               ORDER BY start_offset DESC LIMIT 1), 0) AS "end_offset!",
               (SELECT position FROM runs.log_chunks c WHERE c.run_id = l.run_id AND c.attempt = l.attempt AND position IS NOT NULL
               ORDER BY start_offset DESC LIMIT 1) AS position
           FROM runs.leases l WHERE l.run_id = $1 AND l.epoch = $2 AND ($3::text IS NULL OR l.worker_id = $3)"#,
        lease.run_id.uuid(),
        lease.epoch.0,
        holder.map(WorkerId::as_str)
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| {
        let end = LogEnd {
            attempt: r.attempt,
            offset: r.end_offset,
        };
        (end, r.position)
    }))
}

/// Returns the pieces that hold something at or after `offset`, in order; their data is compressed.
pub(crate) async fn read(
    conn: &mut PgConnection,
    run: RunId,
    attempt: i32,
    offset: i64,
    limit: i64,
) -> sqlx::Result<Vec<LogChunk>> {
    let rows = sqlx::query!(
        "SELECT start_offset, end_offset, stream, data, recorded_at FROM runs.log_chunks
         WHERE run_id = $1 AND attempt = $2 AND end_offset > $3
         -- pieces do not overlap: the one that holds the offset starts at or before it, and is the last that does
         AND start_offset >= coalesce((SELECT start_offset FROM runs.log_chunks WHERE run_id = $1 AND attempt = $2 AND start_offset <= $3
             ORDER BY start_offset DESC LIMIT 1), 0)
         ORDER BY start_offset LIMIT $4",
        run.uuid(),
        attempt,
        offset,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| LogChunk {
            attempt,
            start: r.start_offset,
            end: r.end_offset,
            stream: match r.stream.as_str() {
                "system" => LogStream::System,
                _ => LogStream::Output,
            },
            data: Bytes::from(r.data),
            recorded_at: r.recorded_at,
        })
        .collect())
}
