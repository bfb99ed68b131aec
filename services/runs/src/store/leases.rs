//! Live leases: reading them, and orphaning and taking over those whose worker is gone.
use std::time::Duration;

use ck8s_types::{Epoch, LeaseRef, ProjectId, RunId, Slot, WorkerId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::decode::{lease_ref, worker_id};
use crate::domain::{
    ExecutorDomain, Lane, Lease, LeasePhase, OrphanFilter, PoolId, RunningSince, TakenLease,
};

/// Orphaned leases of one domain that are read at once: it bounds the time that a sweep spends on one domain.
const MAX_DOMAIN_ORPHANS: i64 = 500;

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

/// Returns the leases without a worker about which something can be done now: those of a process that is certainly
/// gone, those of the domains from which somebody can take them over, and those for which nobody came in time. Of each
/// domain the longest orphaned come first, a page of each: the leases of a cluster that is no more hold up nobody.
pub(crate) async fn orphans(
    conn: &mut PgConnection,
    filter: &OrphanFilter,
) -> sqlx::Result<Vec<Lease>> {
    let domains: Vec<&str> = filter.domains.iter().map(ExecutorDomain::as_str).collect();
    lease_rows!(
        conn,
        "run_id = ANY(ARRAY(
             WITH RECURSIVE domain AS (
                 (SELECT executor_domain FROM runs.leases WHERE worker_id IS NULL ORDER BY executor_domain LIMIT 1)
                 UNION ALL
                 SELECT n.executor_domain FROM domain d CROSS JOIN LATERAL (
                     SELECT executor_domain FROM runs.leases WHERE worker_id IS NULL AND executor_domain > d.executor_domain
                     ORDER BY executor_domain LIMIT 1
                 ) n
             )
             SELECT o.run_id FROM domain d CROSS JOIN LATERAL (
                 SELECT run_id FROM runs.leases l WHERE l.worker_id IS NULL AND l.executor_domain = d.executor_domain
                 AND CASE
                     WHEN d.executor_domain = 'process' THEN l.orphaned_at <= now() - make_interval(secs => $2)
                     WHEN d.executor_domain = ANY($1) THEN true
                     ELSE l.state = 'leased' AND l.orphaned_at <= now() - make_interval(secs => $3)
                 END
                 ORDER BY l.orphaned_at LIMIT $4
             ) o
         )) ORDER BY orphaned_at",
        &domains as &[&str],
        filter.process_gone.as_secs_f64(),
        filter.takeover_timeout.as_secs_f64(),
        MAX_DOMAIN_ORPHANS
    )
}

/// Locks an orphaned lease whose run is to end because nobody takes it over. False: somebody did, or a worker of its
/// domain takes work, here or at another replica, and is about to. Call it in a transaction.
pub(crate) async fn lock_abandoned(conn: &mut PgConnection, lease: LeaseRef) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (
               SELECT FROM runs.workers w WHERE w.executor_domain = l.executor_domain AND w.state = 'connected' AND NOT w.draining
               AND w.lease_until > now()
           ) AS "abandoned!"
           FROM runs.leases l WHERE l.run_id = $1 AND l.epoch = $2 AND l.worker_id IS NULL FOR UPDATE OF l"#,
        lease.run_id.uuid(),
        lease.epoch.0
    )
    .fetch_optional(conn)
    .await
    .map(|abandoned| abandoned.unwrap_or(false))
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

/// Takes leases away from a worker that does not hold them any more. `until`: how long its process may live, where that
/// is later than now.
pub(crate) async fn orphan(
    conn: &mut PgConnection,
    worker: &WorkerId,
    runs: &[RunId],
    until: Option<OffsetDateTime>,
    why: &str,
) -> sqlx::Result<()> {
    let runs: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
    sqlx::query!(
        r#"
        WITH lease AS (
            UPDATE runs.leases l SET worker_id = NULL, orphaned_at = greatest(now(), $4) WHERE worker_id = $1 AND run_id = ANY($2)
            RETURNING run_id, project_id, epoch
        )
        INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
        SELECT 'run.orphaned', project_id, run_id, 'service:runs', $3, json_build_object('worker_id', $1::text, 'lease_epoch', epoch) FROM lease
        "#,
        worker.as_str(),
        &runs,
        why,
        until
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Gives an orphaned lease to a worker, with the next epoch. None: another replica was faster.
///
/// Since when the workload has been running follows from its deadline, which `transitions::running` sets: the run's own
/// `started_at` is that of its first attempt.
pub(crate) async fn take_over(
    conn: &mut PgConnection,
    lease: LeaseRef,
    worker: &WorkerId,
) -> sqlx::Result<Option<TakenLease>> {
    let taken = sqlx::query!(
        r#"
        WITH lease AS (
            UPDATE runs.leases SET worker_id = $3, orphaned_at = NULL, epoch = epoch + 1
            WHERE run_id = $1 AND epoch = $2 AND worker_id IS NULL
            RETURNING run_id, project_id, slot, epoch,
                CASE WHEN running THEN deadline - make_interval(secs => run_timeout + 30) END AS started_at
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
            SELECT 'run.taken_over', project_id, run_id, 'service:runs', 'by worker ' || $3::text,
                json_build_object('worker_id', $3::text, 'slot', slot, 'lease_epoch', epoch) FROM lease
        )
        SELECT epoch, started_at, extract(epoch FROM now() - started_at)::float8 AS elapsed FROM lease
        "#,
        lease.run_id.uuid(),
        lease.epoch.0,
        worker.as_str()
    )
    .fetch_optional(conn)
    .await?;
    Ok(taken.map(|taken| TakenLease {
        lease: LeaseRef {
            run_id: lease.run_id,
            epoch: Epoch(taken.epoch),
        },
        running: taken.started_at.map(|started_at| RunningSince {
            started_at,
            elapsed: Duration::try_from_secs_f64(taken.elapsed.unwrap_or(0.0)).unwrap_or_default(),
        }),
    }))
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
