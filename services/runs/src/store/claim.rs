//! Claiming: from the queue to leases on free slots, many in one statement.
use ck8s_types::{Epoch, ProjectId, RunId};
use sqlx::PgConnection;

use crate::domain::{Lane, Place, PoolId};

/// What to claim in one lane: runs after `from`, one for each worker named.
#[derive(Clone, Debug)]
pub struct Want {
    pub lane: Lane,
    pub from: Place,
    /// A worker for each run, with the domain that its workloads live in.
    pub workers: Vec<(String, String)>,
}

/// A lease that was made.
#[derive(Clone, Debug)]
pub struct Leased {
    pub run: RunId,
    pub epoch: Epoch,
    pub slot: i32,
    pub lane: Lane,
    pub place: Place,
    pub worker: String,
}

/// Leases as many waiting runs as there are workers and free slots. What another replica claims at the same time is skipped; a slot
/// that it takes first is left to it by the slot's unique key.
pub async fn claim(
    conn: &mut PgConnection,
    wants: &[Want],
    default_slots: i32,
) -> sqlx::Result<Vec<Leased>> {
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let mut token = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for want in wants {
        for (i, (worker, domain)) in want.workers.iter().enumerate() {
            token.0.push(want.lane.project.uuid());
            token.1.push(want.lane.pool.0);
            token.2.push(i64::from(count(i)) + 1);
            token.3.push(worker.clone());
            token.4.push(domain.clone());
        }
    }
    let rows = sqlx::query!(
        r#"
        WITH want AS (
            SELECT * FROM unnest($1::uuid[], $2::int[], $3::smallint[], $4::bigint[], $5::int[]) AS w(project_id, pool_id, rank, seq, n)
        ), token AS (
            SELECT * FROM unnest($6::uuid[], $7::int[], $8::bigint[], $9::text[], $10::text[]) AS t(project_id, pool_id, i, worker_id, domain)
        ), candidate AS MATERIALIZED (
            SELECT q.* FROM want w CROSS JOIN LATERAL (
                SELECT * FROM runs.queue q
                WHERE q.project_id = w.project_id AND q.pool_id = w.pool_id AND q.ready AND (q.rank, q.seq) > (w.rank, w.seq)
                ORDER BY q.rank, q.seq LIMIT w.n FOR UPDATE SKIP LOCKED
            ) q
        ), numbered AS (
            SELECT c.*, row_number() OVER (PARTITION BY project_id ORDER BY rank, seq) AS k,
                row_number() OVER (PARTITION BY project_id, pool_id ORDER BY rank, seq) AS i
            FROM candidate c
        ), slot AS (
            SELECT p.project_id, s.slot, row_number() OVER (PARTITION BY p.project_id ORDER BY s.slot) AS k
            FROM (SELECT project_id, count(*) AS need FROM candidate GROUP BY 1) p
            LEFT JOIN runs.project_slots ps USING (project_id)
            CROSS JOIN LATERAL (
                SELECT slot FROM generate_series(1, coalesce(ps.slots, $11)) AS slot
                WHERE NOT EXISTS (SELECT FROM runs.leases l WHERE l.project_id = p.project_id AND l.slot = slot.slot)
                LIMIT p.need
            ) s
        ), lease AS (
            INSERT INTO runs.leases (run_id, project_id, slot, pool_id, worker_id, executor_domain, epoch, attempt, max_attempts, rank, seq,
                concurrency_group, start_timeout, run_timeout, deadline)
            -- the server's own deadline lies a little behind the worker's, which knows better what happened
            SELECT n.run_id, n.project_id, slot.slot, n.pool_id, token.worker_id, token.domain, n.epoch, n.attempt, n.max_attempts, n.rank,
                n.seq, n.concurrency_group, n.start_timeout, n.run_timeout, now() + make_interval(secs => n.start_timeout + 5)
            FROM numbered n JOIN slot USING (project_id, k) JOIN token ON (token.project_id, token.pool_id, token.i) = (n.project_id, n.pool_id, n.i)
            ON CONFLICT DO NOTHING
            RETURNING run_id, project_id, slot, pool_id, worker_id, epoch, rank, seq, attempt
        ), gone AS (
            DELETE FROM runs.queue q USING lease l WHERE q.run_id = l.run_id
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
            SELECT 'run.leased', project_id, run_id, 'service:runs', 'slot ' || slot || ' on worker ' || worker_id,
                json_build_object('slot', slot, 'worker_id', worker_id, 'lease_epoch', epoch, 'attempt', attempt)
            FROM lease
        )
        SELECT run_id, project_id, slot, pool_id, worker_id AS "worker_id!", epoch, rank, seq FROM lease
        "#,
        &wants.iter().map(|w| w.lane.project.uuid()).collect::<Vec<_>>(),
        &wants.iter().map(|w| w.lane.pool.0).collect::<Vec<_>>(),
        &wants.iter().map(|w| w.from.rank).collect::<Vec<_>>(),
        &wants.iter().map(|w| w.from.seq).collect::<Vec<_>>(),
        &wants.iter().map(|w| count(w.workers.len())).collect::<Vec<_>>(),
        &token.0,
        &token.1,
        &token.2,
        &token.3,
        &token.4,
        default_slots,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Leased {
            run: RunId::from(r.run_id),
            epoch: Epoch(r.epoch),
            slot: r.slot,
            lane: Lane {
                project: ProjectId::from(r.project_id),
                pool: PoolId(r.pool_id),
            },
            place: Place {
                rank: r.rank,
                seq: r.seq,
            },
            worker: r.worker_id,
        })
        .collect())
}

/// Every lane with a run that is ready, and the place of its first one: what the sweep looks for.
/// A loose index scan: one probe per lane, however many runs wait.
pub async fn open_lanes(conn: &mut PgConnection) -> sqlx::Result<Vec<(Lane, Place)>> {
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
        .map(|r| {
            let lane = Lane {
                project: ProjectId::from(r.project_id),
                pool: PoolId(r.pool_id),
            };
            (
                lane,
                Place {
                    rank: r.rank,
                    seq: r.seq,
                },
            )
        })
        .collect())
}
