//! Workers: which are connected, and until when their leases live.
use ck8s_types::{InstanceId, ReplicaId, WorkerId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::decode::worker_id;
use crate::domain::{Registration, Worker, WorkerHello, WorkerState};

fn names(workers: &[WorkerId]) -> Vec<&str> {
    workers.iter().map(WorkerId::as_str).collect()
}

/// Stores that the worker holds a stream of this replica.
pub(crate) async fn connect(
    conn: &mut PgConnection,
    hello: &WorkerHello,
    replica: ReplicaId,
    ttl_seconds: f64,
) -> sqlx::Result<Registration> {
    let before = sqlx::query!(
        r#"SELECT instance_id, lease_until, lease_until < now() AS "expired!" FROM runs.workers WHERE id = $1 FOR UPDATE"#,
        hello.id.as_str()
    )
    .fetch_optional(&mut *conn)
    .await?;
    let row = sqlx::query!(
        "INSERT INTO runs.workers (id, instance_id, executor, executor_domain, labels, capacity, state, replica_id, lease_until, version)
         VALUES ($1, $2, $3, $4, $5, $6, 'connected', $7, now() + make_interval(secs => $8), $9)
         ON CONFLICT (id) DO UPDATE SET instance_id = excluded.instance_id, executor = excluded.executor,
             executor_domain = excluded.executor_domain, labels = excluded.labels, capacity = excluded.capacity, state = 'connected',
             replica_id = excluded.replica_id, lease_until = excluded.lease_until, version = excluded.version, seen_at = now()
         RETURNING draining, lease_until",
        hello.id.as_str(),
        hello.instance.uuid(),
        hello.executor,
        hello.domain.as_str(),
        &hello.labels,
        hello.capacity,
        replica.uuid(),
        ttl_seconds,
        hello.version
    )
    .fetch_one(conn)
    .await?;
    Ok(Registration {
        draining: row.draining,
        lease_until: row.lease_until,
        resumed: before
            .as_ref()
            .is_some_and(|b| b.instance_id == hello.instance.uuid() && !b.expired),
        predecessor_until: before
            .filter(|b| b.instance_id != hello.instance.uuid())
            .map(|b| b.lease_until),
    })
}

/// Renews all leases of many workers. Returns the workers that still hold their stream here, and until when their
/// leases live.
pub(crate) async fn renew(
    conn: &mut PgConnection,
    replica: ReplicaId,
    workers: &[(&WorkerId, InstanceId)],
    ttl_seconds: f64,
) -> sqlx::Result<Vec<(WorkerId, OffsetDateTime)>> {
    let (ids, instances): (Vec<&str>, Vec<Uuid>) = workers
        .iter()
        .map(|(id, instance)| (id.as_str(), instance.uuid()))
        .unzip();
    let rows = sqlx::query!(
        "UPDATE runs.workers w SET lease_until = now() + make_interval(secs => $4), seen_at = now(), state = 'connected'
         FROM unnest($1::text[], $2::uuid[]) AS i(id, instance_id)
         -- looked up by its key, whatever the planner takes the table's size for
         WHERE w.id = ANY(ARRAY[i.id]) AND w.instance_id = i.instance_id AND w.replica_id = $3
         RETURNING w.id, w.lease_until",
        &ids as &[&str],
        &instances,
        replica.uuid(),
        ttl_seconds
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|r| Ok((worker_id(r.id)?, r.lease_until)))
        .collect()
}

/// Returns which of these workers hold their stream here and sent no heartbeat in time.
pub(crate) async fn expired(
    conn: &mut PgConnection,
    ids: &[WorkerId],
    replica: ReplicaId,
) -> sqlx::Result<Vec<WorkerId>> {
    sqlx::query_scalar!(
        "SELECT id FROM runs.workers WHERE id = ANY($1) AND replica_id = $2 AND lease_until < now()",
        &names(ids) as &[&str],
        replica.uuid()
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(worker_id)
    .collect()
}

/// Stores that the worker's stream here has ended. Its leases live on until they expire.
pub(crate) async fn disconnect(
    conn: &mut PgConnection,
    id: &WorkerId,
    instance: InstanceId,
    replica: ReplicaId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE runs.workers SET state = 'disconnected' WHERE id = $1 AND instance_id = $2 AND replica_id = $3",
        id.as_str(),
        instance.uuid(),
        replica.uuid()
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Sets how many leases the worker can hold.
pub(crate) async fn set_capacity(
    conn: &mut PgConnection,
    id: &WorkerId,
    capacity: i32,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE runs.workers SET capacity = $2 WHERE id = $1",
        id.as_str(),
        capacity
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Sets whether the worker takes no more work. False: there is no such worker.
pub(crate) async fn set_draining(
    conn: &mut PgConnection,
    id: &WorkerId,
    draining: bool,
) -> sqlx::Result<bool> {
    sqlx::query!(
        "UPDATE runs.workers SET draining = $2 WHERE id = $1",
        id.as_str(),
        draining
    )
    .execute(conn)
    .await
    .map(|r| r.rows_affected() == 1)
}

/// Returns which of these workers take no more work.
pub(crate) async fn draining(
    conn: &mut PgConnection,
    ids: &[WorkerId],
) -> sqlx::Result<Vec<WorkerId>> {
    sqlx::query_scalar!(
        "SELECT id FROM runs.workers WHERE id = ANY($1) AND draining",
        &names(ids) as &[&str]
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(worker_id)
    .collect()
}

macro_rules! worker_rows {
    ($conn:expr, $rest:literal $(, $arg:expr)*) => {
        sqlx::query!(
            r#"SELECT id, instance_id, executor, labels, capacity, state = 'connected' AND lease_until > now() AS "connected!", draining, seen_at,
                   version, (SELECT count(*) FROM runs.leases l WHERE l.worker_id = w.id) AS "leases!"
               FROM runs.workers w WHERE "# + $rest
            $(, $arg)*
        )
        .fetch_all($conn)
        .await
        .and_then(|rows| {
            rows.into_iter()
                .map(|r| {
                    Ok(Worker {
                        id: worker_id(r.id)?,
                        instance: InstanceId::from(r.instance_id),
                        executor: r.executor,
                        labels: r.labels,
                        capacity: r.capacity,
                        leases: r.leases,
                        state: match (r.connected, r.draining) {
                            (false, _) => WorkerState::Disconnected,
                            (true, true) => WorkerState::Draining,
                            (true, false) => WorkerState::Connected,
                        },
                        seen_at: r.seen_at,
                        version: r.version,
                    })
                })
                .collect::<sqlx::Result<Vec<Worker>>>()
        })
    };
}

/// Returns workers in the order of their ids, after one of them.
pub(crate) async fn list(
    conn: &mut PgConnection,
    after: Option<&WorkerId>,
    limit: i64,
) -> sqlx::Result<Vec<Worker>> {
    let after = after.map_or("", WorkerId::as_str);
    worker_rows!(conn, "id > $1 ORDER BY id LIMIT $2", after, limit)
}

/// Returns one worker. None: there is no such worker.
pub(crate) async fn get(conn: &mut PgConnection, id: &WorkerId) -> sqlx::Result<Option<Worker>> {
    worker_rows!(conn, "id = $1", id.as_str()).map(|mut rows| rows.pop())
}

/// Removes the workers that have not been seen for this many days and hold no lease. Returns how many they were.
pub(crate) async fn remove_gone(conn: &mut PgConnection, days: i32) -> sqlx::Result<u64> {
    sqlx::query!(
        "DELETE FROM runs.workers w WHERE greatest(seen_at, lease_until) < now() - make_interval(days => $1)
         AND NOT EXISTS (SELECT FROM runs.leases l WHERE l.worker_id = w.id)",
        days
    )
    .execute(conn)
    .await
    .map(|r| r.rows_affected())
}
