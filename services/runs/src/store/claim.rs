//! Claims: from the queue to leases on free slots, many in one statement.
use ck8s_types::{ProjectId, Slot};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decode::{lease_ref, worker_id};
use crate::domain::{ClaimResult, Lane, LaneClaim, NewLease, PoolId, QueuePosition, QueuedRun};

/// The placements of a claim, a column each; `i` counts the placements of a lane from 1.
#[derive(Default)]
struct Columns<'a> {
    project: Vec<Uuid>,
    pool: Vec<i32>,
    i: Vec<i64>,
    slot: Vec<i32>,
    worker: Vec<&'a str>,
    domain: Vec<&'a str>,
}

fn columns(lanes: &[LaneClaim]) -> Columns<'_> {
    let mut columns = Columns::default();
    for claim in lanes {
        for (i, placement) in (1..).zip(&claim.placements) {
            columns.project.push(claim.lane.project.uuid());
            columns.pool.push(claim.lane.pool.0);
            columns.i.push(i);
            columns.slot.push(placement.slot.number());
            columns.worker.push(placement.worker.as_str());
            columns.domain.push(placement.domain.as_str());
        }
    }
    columns
}

/// Leases as many waiting runs as there are placements. Skips the runs that another replica claims at the same time;
/// the slot's unique key leaves a slot to the replica that took it first.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    lanes: &[LaneClaim],
) -> sqlx::Result<ClaimResult> {
    let columns = columns(lanes);
    let count = |claim: &LaneClaim| i32::try_from(claim.placements.len()).unwrap_or(i32::MAX);
    let rows = sqlx::query!(
        r#"
        WITH want AS (
            SELECT * FROM unnest($1::uuid[], $2::int[], $3::smallint[], $4::bigint[], $5::int[]) AS w(project_id, pool_id, rank, seq, n)
        ), seat AS (
            SELECT * FROM unnest($6::uuid[], $7::int[], $8::bigint[], $9::int[], $10::text[], $11::text[])
                AS t(project_id, pool_id, i, slot, worker_id, domain)
        ), candidate AS MATERIALIZED (
            SELECT q.* FROM want w CROSS JOIN LATERAL (
                SELECT * FROM runs.queue q
                WHERE q.project_id = w.project_id AND q.pool_id = w.pool_id AND q.ready AND (q.rank, q.seq) > (w.rank, w.seq)
                ORDER BY q.rank, q.seq LIMIT w.n FOR UPDATE SKIP LOCKED
            ) q
        ), numbered AS (
            SELECT c.*, row_number() OVER (PARTITION BY project_id, pool_id ORDER BY rank, seq) AS i FROM candidate c
        ), seated AS (
            SELECT n.*, seat.slot, seat.worker_id, seat.domain FROM numbered n JOIN seat USING (project_id, pool_id, i)
        ), lease AS (
            INSERT INTO runs.leases (run_id, project_id, slot, pool_id, worker_id, executor_domain, epoch, attempt, max_attempts, rank, seq,
                concurrency_group, start_timeout, run_timeout, deadline)
            -- the server's own deadline lies a little behind the worker's, which knows better what happened
            SELECT run_id, project_id, slot, pool_id, worker_id, domain, epoch, attempt, max_attempts, rank, seq, concurrency_group,
                start_timeout, run_timeout, now() + make_interval(secs => start_timeout + 5)
            -- in one order at every replica: whoever waits for a slot holds none that the other one waits for
            FROM seated ORDER BY project_id, slot
            ON CONFLICT DO NOTHING
            RETURNING run_id, project_id, slot, worker_id, epoch, attempt
        ), gone AS (
            DELETE FROM runs.queue WHERE run_id = ANY (ARRAY(SELECT run_id FROM lease))
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
            SELECT 'run.leased', project_id, run_id, 'service:runs', 'slot ' || slot || ' on worker ' || worker_id,
                json_build_object('slot', slot, 'worker_id', worker_id, 'lease_epoch', epoch, 'attempt', attempt)
            FROM lease
        )
        SELECT run_id AS "run_id!", project_id AS "project_id!", slot AS "slot!", pool_id AS "pool_id!", worker_id AS "worker_id!",
            epoch AS "epoch!", rank AS "rank!", seq AS "seq!", run_id = ANY (ARRAY(SELECT run_id FROM lease)) AS "leased!"
        FROM seated
        "#,
        &lanes.iter().map(|c| c.lane.project.uuid()).collect::<Vec<_>>(),
        &lanes.iter().map(|c| c.lane.pool.0).collect::<Vec<_>>(),
        &lanes.iter().map(|c| c.after.rank).collect::<Vec<_>>(),
        &lanes.iter().map(|c| c.after.seq).collect::<Vec<_>>(),
        &lanes.iter().map(count).collect::<Vec<_>>(),
        &columns.project,
        &columns.pool,
        &columns.i,
        &columns.slot,
        &columns.worker as &[&str],
        &columns.domain as &[&str],
    )
    .fetch_all(conn)
    .await?;
    let mut claim = ClaimResult::default();
    for r in rows {
        let lane = Lane {
            project: ProjectId::from(r.project_id),
            pool: PoolId(r.pool_id),
        };
        let slot = Slot::from(r.slot);
        if !r.leased {
            claim.conflicts.push((lane, slot));
            continue;
        }
        claim.leases.push(NewLease {
            lease: lease_ref(r.run_id, r.epoch),
            slot,
            lane,
            position: QueuePosition {
                rank: r.rank,
                seq: r.seq,
            },
            worker: worker_id(r.worker_id)?,
        });
    }
    Ok(claim)
}

/// Returns the first ready run of every lane that has one: what the sweep looks for. A loose index scan: one probe per
/// lane, however many runs wait.
pub(crate) async fn ready_lanes(conn: &mut PgConnection) -> sqlx::Result<Vec<QueuedRun>> {
    let rows = sqlx::query!(
        r#"
        WITH RECURSIVE lane AS (
            (SELECT project_id, pool_id, rank, seq FROM runs.queue WHERE ready ORDER BY project_id, pool_id, rank, seq LIMIT 1)
            UNION ALL
            SELECT n.* FROM lane l CROSS JOIN LATERAL (
                SELECT project_id, pool_id, rank, seq FROM runs.queue q
                WHERE ready AND (q.project_id, q.pool_id) > (l.project_id, l.pool_id)
                ORDER BY project_id, pool_id, rank, seq LIMIT 1
            ) n
        )
        SELECT project_id AS "project_id!", pool_id AS "pool_id!", rank AS "rank!", seq AS "seq!" FROM lane
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| QueuedRun {
            lane: Lane {
                project: ProjectId::from(r.project_id),
                pool: PoolId(r.pool_id),
            },
            position: QueuePosition {
                rank: r.rank,
                seq: r.seq,
            },
        })
        .collect())
}
