//! Transitions: what workers report about their workloads. Each statement names run, epoch and worker: a stale message
//! matches no lease and changes nothing. Each statement takes many messages and records its events with the change.
//!
//! `leases` is small and often empty, and then the planner takes it for empty for as long as it keeps a plan. Two
//! habits of these statements keep it on the primary key all the same: `run_id = ANY(ARRAY[…])` can be looked up but
//! not merged, and what else is compared (`epoch + 0`, `worker_id || ''`) fits no index. And no statement joins one
//! list with another.
use ck8s_types::{EventKind, LeaseRef, ProjectId, Slot, without_nul};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decode::lease_ref;
use crate::domain::{LeaseHolder, Outcome};

/// Holders, a column each.
#[derive(Default)]
struct Columns<'a> {
    run: Vec<Uuid>,
    epoch: Vec<i64>,
    worker: Vec<&'a str>,
}

fn columns<'a>(holders: impl Iterator<Item = &'a LeaseHolder>) -> Columns<'a> {
    let mut columns = Columns::default();
    for holder in holders {
        columns.run.push(holder.lease.run_id.uuid());
        columns.epoch.push(holder.lease.epoch.0);
        columns.worker.push(holder.worker.as_str());
    }
    columns
}

/// A workload that runs.
#[derive(Clone, Debug)]
pub(crate) struct RunningWorkload<'a> {
    pub holder: &'a LeaseHolder,
    /// Its name where it runs.
    pub workload: &'a str,
    /// It was started under an earlier epoch.
    pub adopted: bool,
}

/// Stores that workloads run. Returns the leases that matched.
pub(crate) async fn running(
    conn: &mut PgConnection,
    items: &[RunningWorkload<'_>],
) -> sqlx::Result<Vec<LeaseRef>> {
    let c = columns(items.iter().map(|i| i.holder));
    let workload: Vec<&str> = items.iter().map(|i| i.workload).collect();
    let adopted: Vec<bool> = items.iter().map(|i| i.adopted).collect();
    sqlx::query!(
        r#"
        WITH input AS (
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bool[]) AS t(run_id, epoch, worker_id, workload, adopted)
        ), lease AS (
            -- the server's own deadline lies a little behind the worker's, which knows better what happened
            UPDATE runs.leases l SET running = true,
                deadline = CASE WHEN l.running THEN l.deadline ELSE now() + make_interval(secs => l.run_timeout + 30) END
            FROM input i CROSS JOIN LATERAL (SELECT b.running FROM runs.leases b WHERE b.run_id = i.run_id LIMIT 1) before
            WHERE l.run_id = ANY(ARRAY[i.run_id]) AND l.epoch + 0 = i.epoch AND l.worker_id || '' = i.worker_id AND l.state = 'leased'
            RETURNING l.run_id, l.project_id, l.slot, l.worker_id, l.epoch, l.attempt, i.workload, i.adopted, before.running AS again
        ), run AS (
            UPDATE runs.runs r SET state = 'running', started_at = coalesce(r.started_at, now()), workload = l.workload, slot = l.slot,
                worker_id = l.worker_id
            FROM lease l WHERE r.id = ANY(ARRAY[l.run_id]) AND r.state IN ('pending', 'running')
            RETURNING l.run_id, l.project_id, l.slot, l.worker_id, l.epoch, l.attempt, l.workload, l.adopted, l.again
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
            SELECT CASE WHEN l.adopted THEN 'run.adopted' ELSE 'run.running' END, l.project_id, l.run_id, 'worker:' || l.worker_id, l.workload,
                json_build_object('slot', l.slot, 'lease_epoch', l.epoch, 'attempt', l.attempt, 'workload', l.workload)
            FROM run l
            -- said again, since its acknowledgement was lost: recorded once
            WHERE NOT l.again OR (l.adopted AND NOT EXISTS (
                SELECT FROM audit.flow_events e
                WHERE e.run_id = l.run_id AND e.kind = 'run.adopted' AND (e.data->>'lease_epoch')::bigint = l.epoch))
        )
        SELECT run_id, epoch FROM lease
        "#,
        &c.run,
        &c.epoch,
        &c.worker as &[&str],
        &workload as &[&str],
        &adopted
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(|r| lease_ref(r.run_id, r.epoch)).collect())
}

/// Stores that workloads have ended: the runs end, their slots are releasing. Returns the leases that matched.
pub(crate) async fn finished(
    conn: &mut PgConnection,
    items: &[(&LeaseHolder, &Outcome)],
) -> sqlx::Result<Vec<LeaseRef>> {
    let c = columns(items.iter().map(|(h, _)| *h));
    let word =
        |f: fn(&Outcome) -> &'static str| items.iter().map(|(_, o)| f(o)).collect::<Vec<_>>();
    let message: Vec<String> = items.iter().map(|(_, o)| without_nul(&o.message)).collect();
    let exit: Vec<Option<i32>> = items.iter().map(|(_, o)| o.exit_code).collect();
    sqlx::query!(
        r#"
        WITH input AS (
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
                AS t(run_id, epoch, worker_id, state, reason, message, exit_code)
        ), lease AS (
            UPDATE runs.leases l SET state = 'releasing' FROM input i
            WHERE l.run_id = ANY(ARRAY[i.run_id]) AND l.epoch + 0 = i.epoch AND l.worker_id || '' = i.worker_id AND l.state = 'leased'
            RETURNING l.run_id, l.project_id, l.worker_id, l.epoch, l.attempt, i.state, i.reason, i.message, i.exit_code
        ), run AS (
            UPDATE runs.runs r SET state = l.state, reason = l.reason, message = l.message, exit_code = l.exit_code, finished_at = now()
            FROM lease l WHERE r.id = ANY(ARRAY[l.run_id]) AND r.state IN ('pending', 'running')
            RETURNING l.run_id, l.project_id, l.worker_id, l.epoch, l.attempt, l.state, l.reason, l.message, l.exit_code
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
            SELECT 'run.finished', l.project_id, l.run_id, 'worker:' || l.worker_id, l.message, json_build_object('state', l.state,
                'reason', l.reason, 'exit_code', l.exit_code, 'lease_epoch', l.epoch, 'attempt', l.attempt)
            FROM run l
        )
        SELECT run_id, epoch FROM lease
        "#,
        &c.run,
        &c.epoch,
        &c.worker as &[&str],
        &word(|o| o.state.as_str()) as &[&str],
        &word(|o| o.reason.as_str()) as &[&str],
        &message,
        &exit as &[Option<i32>],
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(|r| lease_ref(r.run_id, r.epoch)).collect())
}

/// A slot that is free again, and the lease that it had.
#[derive(Clone, Debug)]
pub(crate) struct FreedSlot {
    pub lease: LeaseRef,
    pub project: ProjectId,
    pub slot: Slot,
    /// The concurrency group that the lease held.
    pub group: Option<String>,
}

/// Stores that workloads are gone: their leases end, their slots are free.
pub(crate) async fn released(
    conn: &mut PgConnection,
    holders: &[&LeaseHolder],
) -> sqlx::Result<Vec<FreedSlot>> {
    let c = columns(holders.iter().copied());
    let rows = sqlx::query!(
        r#"
        WITH input AS (
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS t(run_id, epoch, worker_id)
        ), lease AS (
            DELETE FROM runs.leases l USING input i
            WHERE l.run_id = ANY(ARRAY[i.run_id]) AND l.epoch + 0 = i.epoch AND l.worker_id || '' = i.worker_id AND l.state = 'releasing'
            RETURNING l.run_id, l.project_id, l.slot, l.worker_id, l.epoch, l.concurrency_group
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
            SELECT 'run.released', project_id, run_id, 'worker:' || worker_id, 'slot ' || slot || ' is free', json_build_object('slot', slot, 'lease_epoch', epoch) FROM lease
        )
        SELECT run_id, project_id, slot, epoch, concurrency_group FROM lease
        "#,
        &c.run,
        &c.epoch,
        &c.worker as &[&str]
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| FreedSlot {
            lease: lease_ref(r.run_id, r.epoch),
            project: ProjectId::from(r.project_id),
            slot: Slot::from(r.slot),
            group: r.concurrency_group,
        })
        .collect())
}

/// Records what people should know of a run that goes on, once for each message of an attempt. Returns the lease if its
/// holder still holds it.
pub(crate) async fn noted(
    conn: &mut PgConnection,
    holder: &LeaseHolder,
    kind: EventKind,
    message: &str,
) -> sqlx::Result<Option<LeaseRef>> {
    sqlx::query!(
        r#"
        WITH lease AS (
            SELECT l.run_id, l.project_id, l.worker_id, l.epoch, l.attempt FROM runs.leases l
            WHERE l.run_id = ANY(ARRAY[$1::uuid]) AND l.epoch + 0 = $2 AND l.worker_id || '' = $3
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
            SELECT $4, l.project_id, l.run_id, 'worker:' || l.worker_id, $5, json_build_object('lease_epoch', l.epoch, 'attempt', l.attempt)
            FROM lease l
            WHERE NOT EXISTS (SELECT FROM audit.flow_events e WHERE e.run_id = l.run_id AND e.kind = $4 AND e.message = $5
                AND (e.data->>'attempt')::int = l.attempt)
        )
        SELECT run_id, epoch FROM lease
        "#,
        holder.lease.run_id.uuid(),
        holder.lease.epoch.0,
        holder.worker.as_str(),
        kind.as_str(),
        without_nul(message)
    )
    .fetch_optional(conn)
    .await
    .map(|row| row.map(|r| lease_ref(r.run_id, r.epoch)))
}

/// Returns which of these leases their holders still hold, whatever their phase.
pub(crate) async fn still_held(
    conn: &mut PgConnection,
    holders: &[&LeaseHolder],
) -> sqlx::Result<Vec<LeaseRef>> {
    let c = columns(holders.iter().copied());
    sqlx::query!(
        "SELECT l.run_id, l.epoch FROM runs.leases l JOIN unnest($1::uuid[], $2::bigint[], $3::text[]) AS i(run_id, epoch, worker_id)
         ON l.run_id = ANY(ARRAY[i.run_id]) AND l.epoch + 0 = i.epoch AND l.worker_id || '' = i.worker_id",
        &c.run,
        &c.epoch,
        &c.worker as &[&str]
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(|r| lease_ref(r.run_id, r.epoch)).collect())
}
