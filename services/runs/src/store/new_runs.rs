//! New runs: the run, its first events, and its place in the queue or its lease, in one statement for many.
use ck8s_types::{ProjectId, RunTrigger, Slot};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decode::{lease_ref, worker_id};
use crate::{
    domain::{Lane, NewLease, NewRun, Placement, PoolId, QueuePosition, QueuedRun},
    error::RunsError,
};

/// What became of new runs.
#[derive(Debug, Default)]
pub(crate) struct InsertedRuns {
    pub queued: Vec<QueuedRun>,
    pub leases: Vec<NewLease>,
}

/// Inserts runs. One that exists already is left as it is and not returned: making a run twice makes it once.
///
/// A run with a placement is leased at once, unless the slot is not free after all; others wait. `ready` is false for
/// all or none: a run of a concurrency group that must wait is inserted on its own, without a placement.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    runs: &[NewRun],
    placements: &[Option<Placement>],
    ready: bool,
) -> Result<InsertedRuns, RunsError> {
    let (trigger, spec) = json(runs)?;
    let rows = sqlx::query!(
        r#"
        WITH input AS (
            SELECT * FROM unnest(
                $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::uuid[], $9::int[],
                $10::smallint[], $11::text[], $12::int[], $13::int[], $14::int[], $15::int[], $16::text[], $17::int[], $18::text[], $19::text[]
            ) WITH ORDINALITY AS t(
                id, project_id, repository_id, repository_name, delivery_id, trigger, spec, retry_of, pool_id,
                rank, concurrency_group, max_attempts, start_timeout, run_timeout, wait_timeout, actor, slot, worker_id, domain, ord
            )
        ), made AS (
            INSERT INTO runs.runs (id, project_id, repository_id, repository_name, delivery_id, trigger, spec, retry_of)
            -- in one order at every replica: whoever waits for a key holds none that the other one waits for
            SELECT id, project_id, repository_id, repository_name, delivery_id, trigger::json, spec::json, retry_of FROM input ORDER BY id
            ON CONFLICT (id) DO NOTHING
            RETURNING id
        ), lease AS (
            INSERT INTO runs.leases (run_id, project_id, slot, pool_id, worker_id, executor_domain, epoch, attempt, max_attempts, rank, seq,
                concurrency_group, start_timeout, run_timeout, deadline)
            -- the server's own deadline lies a little behind the worker's, which knows better what happened
            SELECT i.id, i.project_id, i.slot, i.pool_id, i.worker_id, i.domain, 1, 1, i.max_attempts, i.rank, i.seq,
                i.concurrency_group, i.start_timeout, i.run_timeout, now() + make_interval(secs => i.start_timeout + 5)
            FROM (
                SELECT i.*, nextval('runs.queue_seq_seq') AS seq
                FROM input i JOIN made USING (id) WHERE i.slot IS NOT NULL ORDER BY i.ord
            ) i ORDER BY i.project_id, i.slot
            ON CONFLICT DO NOTHING
            RETURNING run_id, slot, worker_id, seq, epoch, attempt
        ), queued AS (
            INSERT INTO runs.queue (run_id, project_id, pool_id, rank, ready, concurrency_group, max_attempts, start_timeout,
                run_timeout, expires_at)
            SELECT i.id, i.project_id, i.pool_id, i.rank, $20, i.concurrency_group, i.max_attempts, i.start_timeout, i.run_timeout,
                now() + make_interval(secs => i.wait_timeout)
            FROM input i JOIN made USING (id) WHERE i.id <> ALL (ARRAY(SELECT run_id FROM lease)) ORDER BY i.ord
            RETURNING run_id, seq
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
            SELECT kind, project_id, id, actor, message, data FROM (
                SELECT 'run.created' AS kind, i.project_id, i.id, i.actor, '' AS message, NULL::json AS data, i.ord
                FROM input i JOIN made USING (id)
                UNION ALL
                SELECT 'run.leased', i.project_id, i.id, 'service:runs', 'slot ' || l.slot || ' on worker ' || l.worker_id,
                    json_build_object('slot', l.slot, 'worker_id', l.worker_id, 'lease_epoch', l.epoch, 'attempt', l.attempt), i.ord
                FROM input i JOIN lease l ON l.run_id = i.id
            ) e ORDER BY ord, kind
        )
        SELECT i.id AS "run_id!", i.project_id AS "project_id!", i.pool_id AS "pool_id!", i.rank AS "rank!",
            coalesce(q.seq, l.seq) AS "seq!", l.slot AS "slot?", l.worker_id AS "worker_id?", l.epoch AS "epoch?"
        FROM input i JOIN made USING (id) LEFT JOIN queued q ON q.run_id = i.id LEFT JOIN lease l ON l.run_id = i.id
        "#,
        &column(runs, |r| r.id.uuid()),
        &column(runs, |r| r.project.uuid()),
        &column(runs, |r| r.repository.map(|id| id.uuid())) as &[Option<Uuid>],
        &text(runs, |r| &r.repository_name) as &[&str],
        &column(runs, |r| r.delivery.map(|id| id.uuid())) as &[Option<Uuid>],
        &trigger,
        &spec,
        &column(runs, |r| r.retry_of.map(|id| id.uuid())) as &[Option<Uuid>],
        &column(runs, |r| r.pool.0),
        &runs.iter().map(|r| -r.spec.priority).collect::<Vec<_>>(),
        &runs.iter().map(|r| r.spec.concurrency_group.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &column(runs, |r| r.spec.max_attempts),
        &column(runs, |r| seconds(r.spec.timeouts.pending)),
        &column(runs, |r| seconds(r.spec.timeouts.running)),
        &column(runs, |r| seconds(r.spec.timeouts.unscheduled)),
        &text(runs, |r| &r.actor) as &[&str],
        &placement(placements, |p| p.slot.number()) as &[Option<i32>],
        &placement(placements, |p| p.worker.as_str()) as &[Option<&str>],
        &placement(placements, |p| p.domain.as_str()) as &[Option<&str>],
        ready,
    )
    .fetch_all(conn)
    .await?;
    let mut inserted = InsertedRuns::default();
    for r in rows {
        let position = QueuePosition {
            rank: r.rank,
            seq: r.seq,
        };
        let lane = Lane {
            project: ProjectId::from(r.project_id),
            pool: PoolId(r.pool_id),
        };
        match (r.slot, r.worker_id, r.epoch) {
            (Some(slot), Some(worker), Some(epoch)) => inserted.leases.push(NewLease {
                lease: lease_ref(r.run_id, epoch),
                slot: Slot::from(slot),
                lane,
                position,
                worker: worker_id(worker)?,
            }),
            _ => inserted.queued.push(QueuedRun { lane, position }),
        }
    }
    Ok(inserted)
}

/// The triggers and the specs, a column each.
fn json(runs: &[NewRun]) -> Result<(Vec<String>, Vec<String>), RunsError> {
    let mut triggers = Vec::with_capacity(runs.len());
    let mut specs = Vec::with_capacity(runs.len());
    for run in runs {
        triggers.push(trigger_json(&run.trigger)?);
        specs.push(serde_json::to_string(&run.spec)?);
    }
    Ok((triggers, specs))
}

/// Returns a trigger as JSON without NUL characters, which PostgreSQL's json does not take.
fn trigger_json(trigger: &RunTrigger) -> Result<String, RunsError> {
    let json = serde_json::to_string(trigger)?;
    // The text may also be a backslash that somebody wrote.
    if !json.contains("\\u0000") {
        return Ok(json);
    }
    let mut trigger = trigger.clone();
    trigger.strip_nul();
    Ok(serde_json::to_string(&trigger)?)
}

fn column<T>(runs: &[NewRun], f: fn(&NewRun) -> T) -> Vec<T> {
    runs.iter().map(f).collect()
}

fn text(runs: &[NewRun], f: fn(&NewRun) -> &str) -> Vec<&str> {
    runs.iter().map(f).collect()
}

fn placement<'a, T>(all: &'a [Option<Placement>], f: fn(&'a Placement) -> T) -> Vec<Option<T>> {
    all.iter().map(|p| p.as_ref().map(f)).collect()
}

fn seconds(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
