//! Claiming: from the queue to leases on free slots, many in one statement.
use ck8s_types::{Epoch, ProjectId, RunId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{Lane, Place, PoolId};

/// A worker and a free slot for one run.
#[derive(Clone, Debug)]
pub struct Seat {
    pub slot: i32,
    pub worker: String,
    /// Where the worker's workloads live.
    pub domain: String,
}

/// What to claim in one lane: runs after `from`, one for each seat.
#[derive(Clone, Debug)]
pub struct Want {
    pub lane: Lane,
    pub from: Place,
    pub seats: Vec<Seat>,
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

/// What a claim came to.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    pub leased: Vec<Leased>,
    /// Slots that were not free after all. Their runs wait on.
    clashed: Vec<(ProjectId, i32)>,
}

impl Claimed {
    #[cfg(test)]
    pub fn of(leased: Vec<Leased>, clashed: Vec<(ProjectId, i32)>) -> Self {
        Self { leased, clashed }
    }

    /// The slots of a project that were not free.
    pub fn clashed(&self, project: ProjectId) -> impl Iterator<Item = i32> {
        let of_project = move |(p, slot): &(ProjectId, i32)| (*p == project).then_some(*slot);
        self.clashed.iter().filter_map(of_project)
    }
}

/// The seats of a claim, a column each; `i` counts the seats of a lane from 1.
#[derive(Default)]
struct Seats {
    project: Vec<Uuid>,
    pool: Vec<i32>,
    i: Vec<i64>,
    slot: Vec<i32>,
    worker: Vec<String>,
    domain: Vec<String>,
}

fn seats(wants: &[Want]) -> Seats {
    let mut seats = Seats::default();
    for want in wants {
        for (i, seat) in (1..).zip(&want.seats) {
            seats.project.push(want.lane.project.uuid());
            seats.pool.push(want.lane.pool.0);
            seats.i.push(i);
            seats.slot.push(seat.slot);
            seats.worker.push(seat.worker.clone());
            seats.domain.push(seat.domain.clone());
        }
    }
    seats
}

/// Leases as many waiting runs as there are seats. What another replica claims at the same time is skipped; a slot that it took first
/// is left to it by the slot's unique key.
pub async fn claim(conn: &mut PgConnection, wants: &[Want]) -> sqlx::Result<Claimed> {
    let seats = seats(wants);
    let count = |want: &Want| i32::try_from(want.seats.len()).unwrap_or(i32::MAX);
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
            FROM seated
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
        &wants.iter().map(|w| w.lane.project.uuid()).collect::<Vec<_>>(),
        &wants.iter().map(|w| w.lane.pool.0).collect::<Vec<_>>(),
        &wants.iter().map(|w| w.from.rank).collect::<Vec<_>>(),
        &wants.iter().map(|w| w.from.seq).collect::<Vec<_>>(),
        &wants.iter().map(count).collect::<Vec<_>>(),
        &seats.project,
        &seats.pool,
        &seats.i,
        &seats.slot,
        &seats.worker,
        &seats.domain,
    )
    .fetch_all(conn)
    .await?;
    let mut claimed = Claimed::default();
    for r in rows {
        let project = ProjectId::from(r.project_id);
        if !r.leased {
            claimed.clashed.push((project, r.slot));
            continue;
        }
        claimed.leased.push(Leased {
            run: RunId::from(r.run_id),
            epoch: Epoch(r.epoch),
            slot: r.slot,
            lane: Lane {
                project,
                pool: PoolId(r.pool_id),
            },
            place: Place {
                rank: r.rank,
                seq: r.seq,
            },
            worker: r.worker_id,
        });
    }
    Ok(claimed)
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
