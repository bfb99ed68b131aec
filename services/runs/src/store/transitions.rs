//! What workers say of their workloads. Each statement names run, epoch and worker: a stale message matches no lease and changes
//! nothing. Each takes many at once, and records its events with the change.
//!
//! `leases` is small and often empty, and then the planner takes it for empty for as long as it keeps a plan. Two habits of these
//! statements keep it on the primary key all the same: `run_id = ANY(ARRAY[…])` can be looked up but not merged, and what else is compared
//! (`epoch + 0`, `worker_id || ''`) fits no index. And no statement joins one list with another.
use ck8s_types::{Epoch, ProjectId, RunId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::Outcome;

/// The lease that a message is about, and who sent it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    pub run: RunId,
    pub epoch: Epoch,
    pub worker: String,
}

impl Holder {
    /// The lease: an epoch belongs to one holder alone.
    pub fn lease(&self) -> (RunId, Epoch) {
        (self.run, self.epoch)
    }
}

struct Columns {
    run: Vec<Uuid>,
    epoch: Vec<i64>,
    worker: Vec<String>,
}

fn columns<'a>(holders: impl Iterator<Item = &'a Holder>) -> Columns {
    let mut columns = Columns {
        run: Vec::new(),
        epoch: Vec::new(),
        worker: Vec::new(),
    };
    for holder in holders {
        columns.run.push(holder.run.uuid());
        columns.epoch.push(holder.epoch.0);
        columns.worker.push(holder.worker.clone());
    }
    columns
}

/// Workloads that run now. Returns the leases that matched.
pub async fn running(
    conn: &mut PgConnection,
    items: &[(Holder, String, bool)],
) -> sqlx::Result<Vec<(RunId, Epoch)>> {
    let c = columns(items.iter().map(|(h, ..)| h));
    let workload: Vec<String> = items.iter().map(|(_, w, _)| w.clone()).collect();
    let adopted: Vec<bool> = items.iter().map(|(.., a)| *a).collect();
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
        &c.worker,
        &workload,
        &adopted
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(|r| (RunId::from(r.run_id), Epoch(r.epoch))).collect())
}

/// Workloads that have ended: the runs end, their slots are releasing. Returns the leases that matched.
pub async fn finished(
    conn: &mut PgConnection,
    items: &[(Holder, Outcome)],
) -> sqlx::Result<Vec<(RunId, Epoch)>> {
    let c = columns(items.iter().map(|(h, _)| h));
    let text = |f: fn(&Outcome) -> String| items.iter().map(|(_, o)| f(o)).collect::<Vec<_>>();
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
        &c.worker,
        &text(|o| o.state.as_str().to_owned()),
        &text(|o| o.reason.as_str().to_owned()),
        &text(|o| o.message.replace('\0', "")),
        &exit as &[Option<i32>],
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(|r| (RunId::from(r.run_id), Epoch(r.epoch))).collect())
}

/// A slot that is free again.
#[derive(Clone, Debug)]
pub struct Freed {
    pub run: RunId,
    pub epoch: Epoch,
    pub project: ProjectId,
    pub slot: i32,
    pub group: Option<String>,
}

/// Workloads that are gone: their leases end, their slots are free.
pub async fn released(conn: &mut PgConnection, holders: &[Holder]) -> sqlx::Result<Vec<Freed>> {
    let c = columns(holders.iter());
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
        &c.worker
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Freed {
            run: RunId::from(r.run_id),
            epoch: Epoch(r.epoch),
            project: ProjectId::from(r.project_id),
            slot: r.slot,
            group: r.concurrency_group,
        })
        .collect())
}

/// Of these, the leases that their senders still hold, whatever their state.
pub async fn held_by_sender(
    conn: &mut PgConnection,
    holders: &[Holder],
) -> sqlx::Result<Vec<(RunId, Epoch)>> {
    let c = columns(holders.iter());
    sqlx::query!(
        "SELECT l.run_id, l.epoch FROM runs.leases l JOIN unnest($1::uuid[], $2::bigint[], $3::text[]) AS i(run_id, epoch, worker_id)
         ON l.run_id = ANY(ARRAY[i.run_id]) AND l.epoch + 0 = i.epoch AND l.worker_id || '' = i.worker_id",
        &c.run,
        &c.epoch,
        &c.worker
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(|r| (RunId::from(r.run_id), Epoch(r.epoch))).collect())
}
