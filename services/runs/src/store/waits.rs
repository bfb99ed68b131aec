//! Why a run waits: what stands in the queue and on the slots around it.
use ck8s_types::{ProjectId, RunId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A run's place in the queue.
#[derive(Debug)]
pub struct Waiting {
    pub project: ProjectId,
    pub labels: Vec<String>,
    pub ready: bool,
    pub group: Option<String>,
    /// Ready runs of the project that go first.
    pub ahead: i64,
}

/// The run's place in the queue; none: it is not in it.
pub async fn waiting(conn: &mut PgConnection, run: RunId) -> sqlx::Result<Option<Waiting>> {
    let row = sqlx::query!(
        r#"SELECT q.project_id, p.labels, q.ready, q.concurrency_group,
               (SELECT count(*) FROM runs.queue o WHERE o.project_id = q.project_id AND o.ready AND (o.rank, o.seq) < (q.rank, q.seq)) AS "ahead!"
           FROM runs.queue q JOIN runs.pools p ON p.id = q.pool_id WHERE q.run_id = $1"#,
        run.uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| Waiting {
        project: ProjectId::from(r.project_id),
        labels: r.labels,
        ready: r.ready,
        group: r.concurrency_group,
        ahead: r.ahead,
    }))
}

/// Runs that go first in the project, next one first.
pub async fn ahead(conn: &mut PgConnection, run: RunId, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT o.run_id FROM runs.queue q JOIN runs.queue o ON o.project_id = q.project_id AND o.ready AND (o.rank, o.seq) < (q.rank, q.seq)
         WHERE q.run_id = $1 ORDER BY o.rank, o.seq LIMIT $2",
        run.uuid(),
        limit
    )
    .fetch_all(conn)
    .await
}

/// Runs of the group that hold a slot or wait before this one.
pub async fn group_before(
    conn: &mut PgConnection,
    run: RunId,
    project: ProjectId,
    group: &str,
) -> sqlx::Result<Vec<Uuid>> {
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
}

/// Connected workers that have all these labels: how many, how many of them take work, and how many leases they could hold and hold.
#[derive(Debug, Clone, Copy)]
pub struct Suitable {
    pub connected: i64,
    pub taking: i64,
    pub capacity: i64,
    pub held: i64,
}

/// Which workers could take a run with these labels.
pub async fn suitable(conn: &mut PgConnection, labels: &[String]) -> sqlx::Result<Suitable> {
    sqlx::query_as!(
        Suitable,
        r#"SELECT count(*) AS "connected!", count(*) FILTER (WHERE NOT draining) AS "taking!",
               coalesce(sum(capacity) FILTER (WHERE NOT draining), 0)::bigint AS "capacity!",
               coalesce(sum((SELECT count(*) FROM runs.leases l WHERE l.worker_id = w.id)) FILTER (WHERE NOT draining), 0)::bigint AS "held!"
           FROM runs.workers w WHERE state = 'connected' AND lease_until > now() AND labels @> $1"#,
        labels
    )
    .fetch_one(conn)
    .await
}
