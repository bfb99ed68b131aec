//! Making runs: the run, its place in the queue and its first event, in one statement for many.
use ck8s_types::{ProjectId, RunId};
use sqlx::PgConnection;

use crate::domain::{Lane, NewRun, Place, PoolId};

/// A run that now waits.
#[derive(Clone, Copy, Debug)]
pub struct Queued {
    pub run: RunId,
    pub lane: Lane,
    pub place: Place,
    pub ready: bool,
}

/// Inserts runs. One that exists already is left as it is and not returned: making a run twice makes it once.
/// `ready` is false for all or none: a run of a concurrency group that must wait is inserted on its own.
pub async fn insert(
    conn: &mut PgConnection,
    runs: &[NewRun],
    ready: bool,
) -> Result<Vec<Queued>, crate::RunsError> {
    let mut trigger = Vec::with_capacity(runs.len());
    let mut spec = Vec::with_capacity(runs.len());
    for run in runs {
        // PostgreSQL's json takes no NUL character.
        trigger.push(serde_json::to_string(&run.trigger)?.replace("\\u0000", ""));
        spec.push(serde_json::to_string(&run.spec)?);
    }
    let column = |f: fn(&NewRun) -> uuid::Uuid| runs.iter().map(f).collect::<Vec<_>>();
    let optional = |f: fn(&NewRun) -> Option<uuid::Uuid>| runs.iter().map(f).collect::<Vec<_>>();
    let text = |f: fn(&NewRun) -> String| runs.iter().map(f).collect::<Vec<_>>();
    let number = |f: fn(&NewRun) -> i32| runs.iter().map(f).collect::<Vec<_>>();
    let rows = sqlx::query!(
        r#"
        WITH input AS (
            SELECT * FROM unnest(
                $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::uuid[], $9::int[],
                $10::smallint[], $11::text[], $12::int[], $13::int[], $14::int[], $15::int[], $16::text[]
            ) WITH ORDINALITY AS t(
                id, project_id, repository_id, repository_name, delivery_id, trigger, spec, retry_of, pool_id,
                rank, concurrency_group, max_attempts, start_timeout, run_timeout, wait_timeout, actor, ord
            )
        ), made AS (
            INSERT INTO runs.runs (id, project_id, repository_id, repository_name, delivery_id, trigger, spec, retry_of)
            SELECT id, project_id, repository_id, repository_name, delivery_id, trigger::json, spec::json, retry_of FROM input
            ON CONFLICT (id) DO NOTHING
            RETURNING id
        ), queued AS (
            INSERT INTO runs.queue (run_id, project_id, pool_id, rank, ready, concurrency_group, max_attempts, start_timeout,
                run_timeout, expires_at)
            SELECT i.id, i.project_id, i.pool_id, i.rank, $17, i.concurrency_group, i.max_attempts, i.start_timeout, i.run_timeout,
                now() + make_interval(secs => i.wait_timeout)
            FROM input i JOIN made USING (id) ORDER BY i.ord
            RETURNING run_id, project_id, pool_id, rank, seq
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor)
            SELECT 'run.created', i.project_id, i.id, i.actor FROM input i JOIN made USING (id) ORDER BY i.ord
        )
        SELECT run_id AS "run_id!", project_id AS "project_id!", pool_id AS "pool_id!", rank AS "rank!", seq AS "seq!" FROM queued
        "#,
        &column(|r| r.id.uuid()),
        &column(|r| r.project.uuid()),
        &optional(|r| r.repository.map(|id| id.uuid())) as &[Option<uuid::Uuid>],
        &text(|r| r.repository_name.clone()),
        &optional(|r| r.delivery.map(|id| id.uuid())) as &[Option<uuid::Uuid>],
        &trigger,
        &spec,
        &optional(|r| r.retry_of.map(|id| id.uuid())) as &[Option<uuid::Uuid>],
        &number(|r| r.pool.0),
        &runs.iter().map(|r| -r.spec.priority).collect::<Vec<_>>(),
        &runs.iter().map(|r| r.spec.concurrency_group.clone()).collect::<Vec<_>>() as &[Option<String>],
        &number(|r| r.spec.max_attempts),
        &number(|r| seconds(r.spec.timeouts.pending)),
        &number(|r| seconds(r.spec.timeouts.running)),
        &number(|r| seconds(r.spec.timeouts.unscheduled)),
        &text(|r| r.actor.clone()),
        ready,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Queued {
            run: RunId::from(r.run_id),
            lane: Lane {
                project: ProjectId::from(r.project_id),
                pool: PoolId(r.pool_id),
            },
            place: Place {
                rank: r.rank,
                seq: r.seq,
            },
            ready,
        })
        .collect())
}

fn seconds(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
