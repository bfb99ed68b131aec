//! The statements on a real PostgreSQL: one project, its runs, and workers.
mod claim;
mod events;
mod groups;
mod lease_returns;
mod leases;
mod logs;
mod maintenance;
mod new_runs;
mod request_ids;
mod run_end;
mod runs;
mod slots;
mod transitions;
mod upgrade;
mod waits;
mod workers;

use std::time::Duration;

use ck8s_db::{ServiceRole, test::TestDb};
use ck8s_types::{
    InstanceId, LeaseRef, ProjectId, ReplicaId, RunId, RunReason, RunSpec, RunState, RunTrigger,
    Slot, WorkerId,
};
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};

use crate::{
    domain::{
        ClaimResult, EventCursor, ExecutorDomain, Lane, LaneClaim, Lease, LeaseHolder, NewLease,
        NewRun, OrphanFilter, Outcome, Placement, PoolId, QueuePosition, QueuedRun, Registration,
        Run, WorkerHello,
    },
    store,
};

/// How long leases live in these tests, in seconds.
const TTL: f64 = 60.0;
/// How long leases wait for somebody who takes them over in these tests.
const TAKEOVER: Duration = Duration::from_secs(120);
/// A time of life for leases that have expired.
const EXPIRED: f64 = -1.0;

struct World {
    // Dropped first: the database is dropped last.
    pool: PgPool,
    owner: PgPool,
    project: ProjectId,
    replica: ReplicaId,
    labels: PoolId,
    _db: TestDb,
}

async fn world() -> World {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    let pool = db.pool(ServiceRole::Runs).await;
    let mut conn = pool.acquire().await.unwrap();
    let labels = store::label_pools::ensure(&mut conn, &[]).await.unwrap();
    drop(conn);
    let world = World {
        pool,
        owner,
        project: ProjectId::new(),
        replica: ReplicaId::new(),
        labels,
        _db: db,
    };
    world.add_project(world.project, "shop").await;
    world
}

fn worker(name: &str) -> WorkerId {
    name.parse().unwrap()
}

fn slot(number: i32) -> Slot {
    Slot::from(number)
}

fn process() -> ExecutorDomain {
    ExecutorDomain::of("process", &[]).unwrap()
}

fn placement(number: i32, name: &str) -> Placement {
    Placement {
        slot: slot(number),
        worker: worker(name),
        domain: process(),
    }
}

fn hello(name: &str) -> WorkerHello {
    WorkerHello {
        id: worker(name),
        instance: InstanceId::new(),
        executor: "process".to_owned(),
        domain: process(),
        labels: Vec::new(),
        capacity: 10,
        version: "1".to_owned(),
    }
}

fn holder(lease: &NewLease) -> LeaseHolder {
    LeaseHolder {
        lease: lease.lease,
        worker: lease.worker.clone(),
    }
}

fn outcome(state: RunState, reason: RunReason) -> Outcome {
    Outcome {
        state,
        reason,
        message: "so it ended".to_owned(),
        exit_code: Some(0),
    }
}

fn run_ids(leases: &[LeaseRef]) -> Vec<RunId> {
    leases.iter().map(|lease| lease.run_id).collect()
}

impl World {
    async fn conn(&self) -> PoolConnection<Postgres> {
        self.pool.acquire().await.unwrap()
    }

    async fn add_project(&self, project: ProjectId, slug: &str) {
        sqlx::query("INSERT INTO auth.projects (id, slug, name) VALUES ($1, $2, $2)")
            .bind(project.uuid())
            .bind(slug)
            .execute(&self.owner)
            .await
            .unwrap();
    }

    /// Changes rows as the tests need them, as no statement of the service would.
    async fn change(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.owner).await.unwrap();
    }

    fn lane(&self) -> Lane {
        Lane {
            project: self.project,
            pool: self.labels,
        }
    }

    fn new_run(&self) -> NewRun {
        NewRun {
            id: RunId::new(),
            project: self.project,
            repository: None,
            repository_name: String::new(),
            delivery: None,
            trigger: RunTrigger::default(),
            spec: RunSpec {
                command: vec!["true".to_owned()],
                max_attempts: 2,
                ..RunSpec::default()
            },
            retry_of: None,
            pool: self.labels,
            actor: "user:mona".to_owned(),
        }
    }

    fn grouped_run(&self, group: &str) -> NewRun {
        let mut run = self.new_run();
        run.spec.concurrency_group = Some(group.to_owned());
        run
    }

    /// Makes a run that waits.
    async fn queue(&self, run: &NewRun) -> QueuedRun {
        self.insert_waiting(run, true).await
    }

    /// Makes a run that waits; `ready`: it can be claimed.
    async fn insert_waiting(&self, run: &NewRun, ready: bool) -> QueuedRun {
        let one = std::slice::from_ref(run);
        let mut conn = self.conn().await;
        let inserted = store::new_runs::insert(&mut conn, one, &[None], ready)
            .await
            .unwrap();
        inserted.queued[0]
    }

    async fn connect(&self, hello: &WorkerHello, ttl: f64) -> Registration {
        let mut conn = self.conn().await;
        store::workers::connect(&mut conn, hello, self.replica, ttl)
            .await
            .unwrap()
    }

    /// Makes a run that is leased at once, to the worker `w1`.
    async fn lease(&self, run: &NewRun, number: i32) -> NewLease {
        self.connect(&hello("w1"), TTL).await;
        let mut conn = self.conn().await;
        let placements = [Some(placement(number, "w1"))];
        let one = std::slice::from_ref(run);
        let inserted = store::new_runs::insert(&mut conn, one, &placements, true)
            .await
            .unwrap();
        inserted.leases[0].clone()
    }

    /// Makes a run whose workload runs.
    async fn running(&self, number: i32) -> NewLease {
        let lease = self.lease(&self.new_run(), number).await;
        let holder = holder(&lease);
        let running = store::transitions::RunningWorkload {
            holder: &holder,
            workload: "pid 7",
            adopted: false,
        };
        let mut conn = self.conn().await;
        store::transitions::running(&mut conn, &[running])
            .await
            .unwrap();
        lease
    }

    /// Makes a run whose workload has ended and may still be there.
    async fn releasing(&self, number: i32) -> NewLease {
        let lease = self.running(number).await;
        let mut conn = self.conn().await;
        let outcome = outcome(RunState::Succeeded, RunReason::Completed);
        store::transitions::finished(&mut conn, &[(&holder(&lease), &outcome)])
            .await
            .unwrap();
        lease
    }

    /// Makes a run whose worker is gone.
    async fn orphaned(&self, number: i32) -> Lease {
        let lease = self.lease(&self.new_run(), number).await;
        let mut conn = self.conn().await;
        store::leases::orphan(
            &mut conn,
            &lease.worker,
            &[lease.lease.run_id],
            None,
            "gone",
        )
        .await
        .unwrap();
        orphans(&mut conn).await.pop().unwrap()
    }

    /// Waits until somebody waits for a lock of this database.
    async fn somebody_waits(&self) {
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
        while !sqlx::query_scalar::<_, bool>(waits)
            .fetch_one(&self.owner)
            .await
            .unwrap()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn claim_after(&self, after: QueuePosition, placements: Vec<Placement>) -> ClaimResult {
        let mut conn = self.conn().await;
        let lane = LaneClaim {
            lane: self.lane(),
            after,
            placements,
        };
        store::claim::claim(&mut conn, &[lane]).await.unwrap()
    }

    async fn claim(&self, placements: Vec<Placement>) -> ClaimResult {
        self.claim_after(QueuePosition::START, placements).await
    }

    async fn run(&self, id: RunId) -> Run {
        store::runs::get(&mut *self.conn().await, id).await.unwrap()
    }

    /// The kinds of the events of a run, in their order.
    async fn events(&self, id: RunId) -> Vec<String> {
        let mut conn = self.conn().await;
        let found = store::events::of_run(&mut conn, id, EventCursor::START, 100)
            .await
            .unwrap();
        found.into_iter().map(|event| event.kind).collect()
    }

    /// The live leases of the worker `w1`.
    async fn leases(&self) -> Vec<Lease> {
        of_worker(&mut *self.conn().await, "w1").await
    }
}

/// All leases without a worker whose process may count as gone.
async fn orphans(conn: &mut PgConnection) -> Vec<Lease> {
    let filter = OrphanFilter {
        domains: Vec::new(),
        process_gone: Duration::ZERO,
        takeover_timeout: TAKEOVER,
    };
    store::leases::orphans(conn, &filter).await.unwrap()
}

async fn of_worker(conn: &mut PgConnection, name: &str) -> Vec<Lease> {
    store::leases::of_workers(conn, &[worker(name)])
        .await
        .unwrap()
}
