//! Live leases: reading them, and orphaning and taking over those whose worker is gone.
use ck8s_types::{Epoch, LeaseRef, ProjectId, RunId, Slot, WorkerId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::decode::{lease_ref, worker_id};
use crate::domain::{ExecutorDomain, Lane, Lease, LeasePhase, PoolId};

macro_rules! lease_rows {
    ($conn:expr, $where:literal $(, $arg:expr)*) => {
        sqlx::query!(
            r#"SELECT run_id, project_id, pool_id, slot, worker_id, executor_domain, epoch, state, running,
                   extract(epoch FROM now() - orphaned_at)::float8 AS orphaned_for FROM runs.leases WHERE "# + $where
            $(, $arg)*
        )
        .fetch_all($conn)
        .await
        .and_then(|rows| {
            rows.into_iter()
                .map(|r| {
                    Ok(Lease {
                        lease: lease_ref(r.run_id, r.epoch),
                        lane: Lane { project: ProjectId::from(r.project_id), pool: PoolId(r.pool_id) },
                        slot: Slot::from(r.slot),
                        worker: r.worker_id.map(worker_id).transpose()?,
                        domain: ExecutorDomain::from(r.executor_domain),
                        phase: match (r.state.as_str(), r.running) {
                            ("releasing", _) => LeasePhase::Releasing,
                            (_, true) => LeasePhase::Running,
                            (_, false) => LeasePhase::Starting,
                        },
                        orphaned_seconds: r.orphaned_for,
                    })
                })
                .collect::<sqlx::Result<Vec<Lease>>>()
        })
    };
}

/// Returns all leases of these workers.
pub(crate) async fn of_workers(
    conn: &mut PgConnection,
    workers: &[WorkerId],
) -> sqlx::Result<Vec<Lease>> {
    let workers: Vec<&str> = workers.iter().map(WorkerId::as_str).collect();
    lease_rows!(conn, "worker_id = ANY($1)", &workers as &[&str])
}

/// Returns the leases without a worker, those first that have been without one the longest.
pub(crate) async fn orphans(conn: &mut PgConnection) -> sqlx::Result<Vec<Lease>> {
    lease_rows!(conn, "worker_id IS NULL ORDER BY orphaned_at LIMIT 500")
}

/// Takes the leases away from the workers of which no heartbeat came in time. Returns how many it took.
pub(crate) async fn orphan_expired(conn: &mut PgConnection) -> sqlx::Result<u64> {
    sqlx::query!(
        r#"
        WITH lease AS (
            UPDATE runs.leases l SET worker_id = NULL, orphaned_at = now() FROM runs.workers w
            WHERE w.id = l.worker_id AND w.lease_until < now()
            RETURNING l.run_id, l.project_id, w.id AS worker_id, l.epoch
        )
        INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
        SELECT 'run.orphaned', project_id, run_id, 'service:runs', 'no heartbeat of worker ' || worker_id,
            json_build_object('worker_id', worker_id, 'lease_epoch', epoch) FROM lease
        "#
    )
    .execute(conn)
    .await
    .map(|r| r.rows_affected())
}

/// Takes leases away from a worker that does not hold them any more.
pub(crate) async fn orphan(
    conn: &mut PgConnection,
    worker: &WorkerId,
    runs: &[RunId],
    why: &str,
) -> sqlx::Result<()> {
    let runs: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
    sqlx::query!(
        r#"
        WITH lease AS (
            UPDATE runs.leases l SET worker_id = NULL, orphaned_at = now() WHERE worker_id = $1 AND run_id = ANY($2)
            RETURNING run_id, project_id, epoch
        )
        INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
        SELECT 'run.orphaned', project_id, run_id, 'service:runs', $3, json_build_object('worker_id', $1::text, 'lease_epoch', epoch) FROM lease
        "#,
        worker.as_str(),
        &runs,
        why
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Gives an orphaned lease to a worker, with the next epoch. None: another replica was faster.
pub(crate) async fn take_over(
    conn: &mut PgConnection,
    lease: LeaseRef,
    worker: &WorkerId,
) -> sqlx::Result<Option<LeaseRef>> {
    sqlx::query_scalar!(
        r#"
        WITH lease AS (
            UPDATE runs.leases SET worker_id = $3, orphaned_at = NULL, epoch = epoch + 1
            WHERE run_id = $1 AND epoch = $2 AND worker_id IS NULL
            RETURNING run_id, project_id, slot, epoch
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
            SELECT 'run.taken_over', project_id, run_id, 'service:runs', 'by worker ' || $3::text,
                json_build_object('worker_id', $3::text, 'slot', slot, 'lease_epoch', epoch) FROM lease
        )
        SELECT epoch FROM lease
        "#,
        lease.run_id.uuid(),
        lease.epoch.0,
        worker.as_str()
    )
    .fetch_optional(conn)
    .await
    .map(|epoch| {
        epoch.map(|epoch| LeaseRef {
            run_id: lease.run_id,
            epoch: Epoch(epoch),
        })
    })
}

/// Returns until when the leases of a worker live. None: there is no such worker.
pub(crate) async fn lease_until(
    conn: &mut PgConnection,
    worker: &WorkerId,
) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!(
        "SELECT lease_until FROM runs.workers WHERE id = $1",
        worker.as_str()
    )
    .fetch_optional(conn)
    .await
}
