//! What a run waits for: the runs before it in the queue, the leases of its group, and the workers that could take it.
use ck8s_types::{ProjectId, RunId};
use sqlx::PgConnection;

use crate::domain::{QueueEntry, SuitableWorkers};

/// Returns the run's place in the queue. None: it does not wait.
pub(crate) async fn queue_entry(
    conn: &mut PgConnection,
    run: RunId,
) -> sqlx::Result<Option<QueueEntry>> {
    let row = sqlx::query!(
        r#"SELECT q.project_id, p.labels, q.ready, q.concurrency_group,
               (SELECT count(*) FROM runs.queue o WHERE o.project_id = q.project_id AND o.ready AND (o.rank, o.seq) < (q.rank, q.seq)) AS "ahead!"
           FROM runs.queue q JOIN runs.pools p ON p.id = q.pool_id WHERE q.run_id = $1"#,
        run.uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| QueueEntry {
        project: ProjectId::from(r.project_id),
        labels: r.labels,
        ready: r.ready,
        group: r.concurrency_group,
        ahead: r.ahead,
    }))
}

/// Returns the runs of the project that go before this one, the next one first.
pub(crate) async fn ahead(
    conn: &mut PgConnection,
    run: RunId,
    limit: i64,
) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        "SELECT o.run_id FROM runs.queue q JOIN runs.queue o ON o.project_id = q.project_id AND o.ready AND (o.rank, o.seq) < (q.rank, q.seq)
         WHERE q.run_id = $1 ORDER BY o.rank, o.seq LIMIT $2",
        run.uuid(),
        limit
    )
    .fetch_all(conn)
    .await
    .map(|ids| ids.into_iter().map(RunId::from).collect())
}

/// Returns the runs of the group that hold a slot or wait before this one.
pub(crate) async fn group_before(
    conn: &mut PgConnection,
    run: RunId,
    project: ProjectId,
    group: &str,
) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"SELECT run_id AS "run_id!" FROM runs.leases WHERE project_id = $2 AND concurrency_group = $3
           UNION ALL
           (SELECT o.run_id FROM runs.queue q JOIN runs.queue o ON o.project_id = q.project_id AND o.concurrency_group = q.concurrency_group
               AND (o.rank, o.seq) < (q.rank, q.seq) WHERE q.run_id = $1 ORDER BY o.rank, o.seq LIMIT 20)"#,
        run.uuid(),
        project.uuid(),
        group
    )
    .fetch_all(conn)
    .await
    .map(|ids| ids.into_iter().map(RunId::from).collect())
}

/// Returns how many workers could take a run with these labels, and how full they are.
pub(crate) async fn suitable_workers(
    conn: &mut PgConnection,
    labels: &[String],
) -> sqlx::Result<SuitableWorkers> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "connected!", count(*) FILTER (WHERE NOT draining) AS "taking!",
               coalesce(sum(capacity) FILTER (WHERE NOT draining), 0)::bigint AS "capacity!",
               coalesce(sum((SELECT count(*) FROM runs.leases l WHERE l.worker_id = w.id)) FILTER (WHERE NOT draining), 0)::bigint AS "held!"
           FROM runs.workers w WHERE state = 'connected' AND lease_until > now() AND labels @> $1"#,
        labels
    )
    .fetch_one(conn)
    .await?;
    Ok(SuitableWorkers {
        connected: row.connected,
        taking_work: row.taking,
        capacity: row.capacity,
        leases: row.held,
    })
}
