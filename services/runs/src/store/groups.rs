//! Concurrency groups: at most one run of a group holds a slot; the next one is made ready when it goes.
use ck8s_types::{ProjectId, RunId};
use sqlx::PgConnection;

use crate::domain::{Lane, PoolId, QueuePosition, QueuedRun};

/// Locks the group for the rest of the transaction: runs enter and leave it one after the other.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    project: ProjectId,
    group: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        format!("ck8s.group {project} {group}")
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

/// Returns the runs of the group that wait or hold a slot and have not ended.
pub(crate) async fn members(
    conn: &mut PgConnection,
    project: ProjectId,
    group: &str,
) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"SELECT run_id AS "run_id!" FROM runs.queue WHERE project_id = $1 AND concurrency_group = $2
           UNION ALL
           SELECT run_id FROM runs.leases WHERE project_id = $1 AND concurrency_group = $2 AND state = 'leased'"#,
        project.uuid(),
        group
    )
    .fetch_all(conn)
    .await
    .map(|ids| ids.into_iter().map(RunId::from).collect())
}

/// Whether a new run of the group has to wait: another one waits, or holds a slot (also one that is being released).
pub(crate) async fn is_busy(
    conn: &mut PgConnection,
    project: ProjectId,
    group: &str,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM runs.leases WHERE project_id = $1 AND concurrency_group = $2)
               OR EXISTS (SELECT FROM runs.queue WHERE project_id = $1 AND concurrency_group = $2) AS "busy!""#,
        project.uuid(),
        group
    )
    .fetch_one(conn)
    .await
}

/// Makes the group's next run ready, if nothing of the group holds a slot or is ready. Call it with the group locked.
pub(crate) async fn promote(
    conn: &mut PgConnection,
    project: ProjectId,
    group: &str,
) -> sqlx::Result<Option<QueuedRun>> {
    let row = sqlx::query!(
        r#"
        UPDATE runs.queue SET ready = true
        WHERE run_id = (
            SELECT run_id FROM runs.queue WHERE project_id = $1 AND concurrency_group = $2 ORDER BY rank, seq LIMIT 1
        )
        AND NOT ready
        AND NOT EXISTS (SELECT FROM runs.queue WHERE project_id = $1 AND concurrency_group = $2 AND ready)
        AND NOT EXISTS (SELECT FROM runs.leases WHERE project_id = $1 AND concurrency_group = $2)
        RETURNING pool_id, rank, seq
        "#,
        project.uuid(),
        group
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| QueuedRun {
        lane: Lane {
            project,
            pool: PoolId(r.pool_id),
        },
        position: QueuePosition {
            rank: r.rank,
            seq: r.seq,
        },
    }))
}

/// Returns the groups with a waiting run and nothing that goes before it: what a crash between two transactions could
/// leave. For the sweep.
pub(crate) async fn stuck(conn: &mut PgConnection) -> sqlx::Result<Vec<(ProjectId, String)>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT q.project_id, q.concurrency_group AS "concurrency_group!" FROM runs.queue q
           WHERE q.concurrency_group IS NOT NULL AND NOT q.ready
           AND NOT EXISTS (SELECT FROM runs.queue o WHERE o.project_id = q.project_id AND o.concurrency_group = q.concurrency_group AND o.ready)
           AND NOT EXISTS (SELECT FROM runs.leases l WHERE l.project_id = q.project_id AND l.concurrency_group = q.concurrency_group)
           LIMIT 100"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| (ProjectId::from(r.project_id), r.concurrency_group))
        .collect())
}
