//! A database of the release of 25 November 2026 with live runs: up, on with them, and back.
use ck8s_db::migrate;

use super::*;
use crate::domain::{LeasePhase, RunFilter};

/// The last migration of that release.
const RELEASE: i64 = 20_261_127_000_001;
/// Every statement of that release's services.
const STATEMENTS: &str = include_str!("../../../../db/tests/release/statements.json");

/// A run in each state that it can be in while the program stops: `n` makes its id, and is its slot.
const LIVE_RUNS: &str = "
    INSERT INTO runs.pools (labels) VALUES ('{}');
    INSERT INTO runs.workers (id, instance_id, executor, executor_domain, labels, capacity, state, replica_id, lease_until)
    VALUES ('w1', gen_random_uuid(), 'process', 'process', '{}', 9, 'connected', gen_random_uuid(), now() + interval '1 hour');
    INSERT INTO runs.runs (id, project_id, state, trigger, spec, started_at, reason, finished_at)
    SELECT ck8s.uuid_floor(now() + make_interval(secs => n)), p.id, state, '{}', '{}', CASE WHEN state = 'running' THEN now() END, reason,
        CASE WHEN reason IS NOT NULL THEN now() END
    FROM auth.projects p, (VALUES (1, 'pending', NULL), (2, 'pending', NULL), (3, 'running', NULL), (4, 'running', NULL),
        (5, 'succeeded', 'completed')) r (n, state, reason);
    INSERT INTO runs.queue (run_id, project_id, pool_id, rank, max_attempts, start_timeout, run_timeout, expires_at)
    SELECT id, project_id, 1, 0, 2, 60, 60, now() + interval '1 day' FROM runs.runs ORDER BY id LIMIT 1;
    INSERT INTO runs.leases (run_id, project_id, slot, pool_id, worker_id, executor_domain, epoch, state, attempt, max_attempts, rank, seq,
        start_timeout, run_timeout, running, deadline, orphaned_at)
    SELECT id, project_id, n, 1, CASE WHEN n <> 4 THEN 'w1' END, 'process', 1, CASE n WHEN 5 THEN 'releasing' ELSE 'leased' END, 1, 2, 0, n,
        60, 60, state = 'running', now() + interval '1 hour', CASE WHEN n = 4 THEN now() - interval '1 minute' END
    FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM runs.runs) r WHERE n > 1;
    INSERT INTO audit.flow_events (kind, project_id, run_id, actor) SELECT 'run.created', project_id, id, 'x' FROM runs.runs;
";

/// The database of the release, with its runs.
async fn release() -> World {
    let db = TestDb::empty().await;
    migrate::up(db.url()).await.unwrap();
    down_to_release(db.url()).await;
    let owner = db.owner().await;
    let project = ProjectId::new();
    sqlx::query("INSERT INTO auth.projects (id, slug, name) VALUES ($1, 'shop', 'shop')")
        .bind(project.uuid())
        .execute(&owner)
        .await
        .unwrap();
    sqlx::raw_sql(LIVE_RUNS).execute(&owner).await.unwrap();
    migrate::up(db.url()).await.unwrap();
    World {
        pool: db.pool(ServiceRole::Runs).await,
        owner,
        project,
        replica: ReplicaId::new(),
        labels: PoolId(1),
        _db: db,
    }
}

async fn down_to_release(url: &str) {
    let all = migrate::status(url).await.unwrap();
    let newer = all.iter().filter(|m| m.version > RELEASE).count();
    migrate::down(url, newer).await.unwrap();
}

/// Returns the statement of the release that contains this.
fn statement(part: &str) -> String {
    let all: Vec<String> = serde_json::from_str(STATEMENTS).unwrap();
    let mut found = all.into_iter().filter(|s| s.contains(part));
    found.next().expect("the release has it")
}

fn of_w1(lease: LeaseRef) -> LeaseHolder {
    LeaseHolder {
        lease,
        worker: worker("w1"),
    }
}

#[tokio::test]
async fn live_runs_of_the_release_go_on_and_the_release_takes_them_back() {
    let world = release().await;
    let mut conn = world.conn().await;
    // What waited is leased, what was leased starts, ends and frees its slot, what had lost its worker is found.
    let claimed = world.claim(vec![placement(1, "w1")]).await.leases[0].lease;
    let mut leases = world.leases().await;
    leases.sort_by_key(|lease| lease.slot);
    let phases: Vec<LeasePhase> = leases.iter().map(|lease| lease.phase).collect();
    let expected = [
        LeasePhase::Starting,
        LeasePhase::Starting,
        LeasePhase::Running,
        LeasePhase::Releasing,
    ];
    assert_eq!(phases, expected);
    let holders: Vec<LeaseHolder> = leases.iter().map(|l| of_w1(l.lease)).collect();
    let starts = store::transitions::RunningWorkload {
        holder: &holders[1],
        workload: "pid 7",
        adopted: false,
    };
    let started = store::transitions::running(&mut conn, &[starts]).await;
    assert_eq!(started.unwrap(), [holders[1].lease]);
    let end = outcome(RunState::Succeeded, RunReason::Completed);
    let ended = store::transitions::finished(&mut conn, &[(&holders[2], &end)]).await;
    assert_eq!(ended.unwrap(), [holders[2].lease]);
    let freed = store::transitions::released(&mut conn, &[&holders[3]]).await;
    assert_eq!(freed.unwrap()[0].slot, slot(5));
    let orphan = orphans(&mut conn)
        .await
        .pop()
        .expect("one has lost its worker");
    assert_eq!(orphan.slot, slot(4));
    let filter = RunFilter {
        projects: Some(vec![world.project]),
        states: vec![RunState::Succeeded],
        ..RunFilter::default()
    };
    let listed = store::runs::list(&mut conn, &filter, None, 10)
        .await
        .unwrap();
    assert_eq!(listed.len(), 2);
    drop(conn);
    world.pool.close().await;

    down_to_release(world._db.url()).await;
    let mut owner = world.owner.acquire().await.unwrap();
    let running = statement("UPDATE runs.leases l SET running = true");
    let started: Vec<(sqlx::types::Uuid, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(running))
        .bind([claimed.run_id.uuid()])
        .bind([claimed.epoch.0])
        .bind(["w1"])
        .bind(["pid 8"])
        .bind([false])
        .fetch_all(&mut *owner)
        .await
        .unwrap();
    assert_eq!(
        started.len(),
        1,
        "the release starts what this program leased"
    );
    let released = statement("DELETE FROM runs.leases l USING input i");
    let freed = sqlx::query(sqlx::AssertSqlSafe(released))
        .bind([holders[2].lease.run_id.uuid()])
        .bind([holders[2].lease.epoch.0])
        .bind(["w1"])
        .fetch_all(&mut *owner)
        .await
        .unwrap();
    assert_eq!(freed.len(), 1, "and frees what this program has ended");
    let events: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit.flow_events WHERE run_id = $1")
            .bind(holders[2].lease.run_id.uuid())
            .fetch_one(&mut *owner)
            .await
            .unwrap();
    assert_eq!(events, 3, "created, finished, released");
}
