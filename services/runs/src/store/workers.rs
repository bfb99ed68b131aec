//! `runs.workers`: who is there, and until when their leases live.
use ck8s_types::{InstanceId, ReplicaId, WorkerId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// A worker that connects.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub id: WorkerId,
    pub instance: InstanceId,
    pub executor: String,
    pub domain: String,
    pub labels: Vec<String>,
    pub capacity: i32,
    pub version: String,
}

/// What was known of it before.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub draining: bool,
    pub lease_until: OffsetDateTime,
    /// It is the same process as before, on a new stream.
    pub same_instance: bool,
    /// The process before lost its leases by time.
    pub was_expired: bool,
}

/// The worker holds a stream here now.
pub async fn connect(
    conn: &mut PgConnection,
    arrival: &Arrival,
    replica: ReplicaId,
    ttl_seconds: f64,
) -> sqlx::Result<Known> {
    let before = sqlx::query!(
        r#"SELECT instance_id, lease_until < now() AS "expired!" FROM runs.workers WHERE id = $1 FOR UPDATE"#,
        arrival.id.as_str()
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
        arrival.id.as_str(),
        arrival.instance.uuid(),
        arrival.executor,
        arrival.domain,
        &arrival.labels,
        arrival.capacity,
        replica.uuid(),
        ttl_seconds,
        arrival.version
    )
    .fetch_one(conn)
    .await?;
    Ok(Known {
        draining: row.draining,
        lease_until: row.lease_until,
        same_instance: before
            .as_ref()
            .is_some_and(|b| b.instance_id == arrival.instance.uuid()),
        was_expired: before.is_some_and(|b| b.expired),
    })
}

/// Renews all leases of many workers. Returns those that still hold their stream here, with their new end.
pub async fn renew(
    conn: &mut PgConnection,
    replica: ReplicaId,
    workers: &[(String, Uuid)],
    ttl_seconds: f64,
) -> sqlx::Result<Vec<(String, OffsetDateTime)>> {
    let (ids, instances): (Vec<String>, Vec<Uuid>) = workers.iter().cloned().unzip();
    let rows = sqlx::query!(
        "UPDATE runs.workers w SET lease_until = now() + make_interval(secs => $4), seen_at = now(), state = 'connected'
         FROM unnest($1::text[], $2::uuid[]) AS i(id, instance_id)
         -- looked up by its key, whatever the planner takes the table's size for
         WHERE w.id = ANY(ARRAY[i.id]) AND w.instance_id = i.instance_id AND w.replica_id = $3
         RETURNING w.id, w.lease_until",
        &ids,
        &instances,
        replica.uuid(),
        ttl_seconds
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|r| (r.id, r.lease_until)).collect())
}

/// Which of these, whose streams are here, were not heard in time.
pub async fn expired(
    conn: &mut PgConnection,
    ids: &[String],
    replica: ReplicaId,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT id FROM runs.workers WHERE id = ANY($1) AND replica_id = $2 AND lease_until < now()",
        ids,
        replica.uuid()
    )
    .fetch_all(conn)
    .await
}

/// Its stream here has ended. Its leases live on until they expire.
pub async fn disconnect(
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

/// How many leases it can hold now.
pub async fn set_capacity(
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

/// Takes no more work, or takes it again. False: no such worker.
pub async fn set_draining(conn: &mut PgConnection, id: &str, draining: bool) -> sqlx::Result<bool> {
    sqlx::query!(
        "UPDATE runs.workers SET draining = $2 WHERE id = $1",
        id,
        draining
    )
    .execute(conn)
    .await
    .map(|r| r.rows_affected() == 1)
}

/// Which of these drain.
pub async fn draining(conn: &mut PgConnection, ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT id FROM runs.workers WHERE id = ANY($1) AND draining",
        ids
    )
    .fetch_all(conn)
    .await
}

/// A worker, as people see it.
#[derive(Clone, Debug)]
pub struct WorkerRow {
    pub id: String,
    pub instance: Uuid,
    pub executor: String,
    pub labels: Vec<String>,
    pub capacity: i32,
    pub leases: i64,
    pub connected: bool,
    pub draining: bool,
    pub seen_at: OffsetDateTime,
    pub version: String,
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
        .map(|rows| {
            rows.into_iter()
                .map(|r| WorkerRow {
                    id: r.id,
                    instance: r.instance_id,
                    executor: r.executor,
                    labels: r.labels,
                    capacity: r.capacity,
                    leases: r.leases,
                    connected: r.connected,
                    draining: r.draining,
                    seen_at: r.seen_at,
                    version: r.version,
                })
                .collect::<Vec<WorkerRow>>()
        })
    };
}

/// Workers by id, after one.
pub async fn list(
    conn: &mut PgConnection,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<WorkerRow>> {
    worker_rows!(conn, "id > $1 ORDER BY id LIMIT $2", after, limit)
}

/// One worker.
pub async fn get(conn: &mut PgConnection, id: &str) -> sqlx::Result<Option<WorkerRow>> {
    worker_rows!(conn, "id = $1", id).map(|mut rows| rows.pop())
}
