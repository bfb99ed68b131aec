//! Rows 3, 4, 4b: whole runs per second, and what a grant costs when much waits, or when a snapshot is held.
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::peers;
use crate::{
    args::Args,
    pgbench::Baseline,
    server::BenchServer,
    stats::{Table, median, spread},
    workers::{self, Do, Worker},
};

const ENDED: &str = "SELECT count(*) FROM runs.runs WHERE state = 'succeeded'";
const LEASES: &str = "SELECT count(*) FROM runs.leases";

/// Measures the rows.
pub(crate) async fn measure(args: &Args, table: &mut Table) -> Result<()> {
    if args.wants("3") {
        whole_runs(args, table).await?;
    }
    if args.wants("4") {
        backlog(args, table).await?;
    }
    if args.wants("4b") {
        snapshot(args, table).await?;
    }
    Ok(())
}

/// Makes projects, and runs that wait in them for workers with the label `load`, straight in the tables: what is
/// measured comes after.
async fn seed(server: &BenchServer, projects: i64, slots: i32, runs: i64) -> Result<()> {
    let sql = format!(
        "INSERT INTO runs.pools (labels) VALUES (ARRAY['load']) ON CONFLICT DO NOTHING;
         INSERT INTO auth.projects (id, slug, name) SELECT gen_random_uuid(), 'seed-' || n, 'seed' FROM generate_series(1, {projects}) n
             ON CONFLICT DO NOTHING;
         INSERT INTO runs.project_slots (project_id, slots) SELECT id, {slots} FROM auth.projects WHERE slug LIKE 'seed-%'
             ON CONFLICT (project_id) DO UPDATE SET slots = excluded.slots;
         CREATE TEMP TABLE fresh AS
             SELECT overlay(ck8s.uuid_floor(now())::text placing substr(gen_random_uuid()::text, 15) from 15)::uuid AS id, p.id AS project_id
             FROM generate_series(1, {runs}) n
             JOIN (SELECT id, row_number() OVER () - 1 AS k FROM auth.projects WHERE slug LIKE 'seed-%') p ON p.k = n % {projects};
         INSERT INTO runs.runs (id, project_id, trigger, spec) SELECT id, project_id, '{{}}',
             '{{\"command\":[\"true\"],\"timeouts\":{{\"unscheduled\":86400,\"pending\":300,\"running\":3600}},\"labels\":[\"load\"],\"max_attempts\":2}}'
             FROM fresh;
         INSERT INTO runs.queue (run_id, project_id, pool_id, rank, max_attempts, start_timeout, run_timeout, expires_at)
             SELECT id, project_id, (SELECT id FROM runs.pools WHERE labels = ARRAY['load']), 0, 2, 300, 3600, now() + interval '1 day' FROM fresh;
         DROP TABLE fresh;
         ANALYZE runs.queue; ANALYZE runs.runs; ANALYZE runs.leases;"
    );
    let mut conn = PgConnection::connect(&server.ready.database_url).await?;
    conn.execute(AssertSqlSafe(sql)).await?;
    Ok(())
}

async fn join(server: &BenchServer, count: usize, capacity: i32) -> Result<Vec<Worker>> {
    let token = server
        .worker_token(&format!("load-{}", uuid::Uuid::new_v4()))
        .await?;
    let mut joined = Vec::with_capacity(count);
    let mut channel = server.channel(&token).await?;
    for n in 0..count {
        if n % 100 == 99 {
            channel = server.channel(&token).await?;
        }
        joined.push(
            workers::connect(
                channel.clone(),
                format!("load-{n}"),
                "load",
                capacity,
                Do::Finish,
                None,
            )
            .await?,
        );
    }
    Ok(joined)
}

/// Waits until this many runs have succeeded and no lease is left. Returns how long it took.
async fn drained(server: &BenchServer, succeeded: i64) -> Result<Duration> {
    let began = Instant::now();
    while server.count(ENDED).await? < succeeded {
        ensure!(
            began.elapsed() < Duration::from_secs(300),
            "runs do not end"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    while server.count(LEASES).await? > 0 {
        ensure!(
            began.elapsed() < Duration::from_secs(300),
            "leases are left"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(began.elapsed())
}

async fn whole_runs(args: &Args, table: &mut Table) -> Result<()> {
    const RUNS: i64 = 15_000;
    let server = BenchServer::start(&args.binary, &[]).await?;
    let peers = peers::install().await?;
    let baseline =
        Baseline::make(&server.pool, &server.ready.database_url, server.dir.path()).await?;
    seed(&server, 20, 0, 0).await?;
    let _workers = join(&server, 1000, 2).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        theirs.push(peers::graphile(&peers, baseline.url(), "throughput").await?);
        let before = server.count(ENDED).await?;
        // Slots appear once all runs wait: the time is that of the runs alone.
        seed(&server, 20, 0, RUNS).await?;
        let began = Instant::now();
        for project in 1..=20 {
            server.set_slots(&format!("seed-{project}"), 100).await?;
        }
        drained(&server, before + RUNS).await?;
        ours.push(RUNS as f64 / began.elapsed().as_secs_f64());
    }
    let events = server.count("SELECT count(*) FROM audit.flow_events WHERE kind IN ('run.leased', 'run.running', 'run.finished', 'run.released')").await?;
    ensure!(
        events == 4 * RUNS * i64::try_from(args.rounds)?,
        "{events} events are stored"
    );
    table.row(
        "3",
        "whole runs, streams to 1,000 workers / graphile-worker, 24 at once",
        format!("{} / {} per s", spread(&ours), spread(&theirs)),
        format!("{:.2} × (gate 1.0 ×)", median(&ours) / median(&theirs)),
    );
    Ok(())
}

/// Returns the runs per second over a part of the backlog.
async fn rate(server: &BenchServer, runs: i64) -> Result<f64> {
    let before = server.count(ENDED).await?;
    let workers = join(server, 10, 20).await?;
    let began = Instant::now();
    while server.count(ENDED).await? < before + runs {
        ensure!(
            began.elapsed() < Duration::from_secs(120),
            "runs do not end"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = began.elapsed();
    let done = server.count(ENDED).await? - before;
    drop(workers);
    // Take in the streams' last messages first, so that the next round starts without leases of this one.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(done as f64 / took.as_secs_f64())
}

async fn backlog(args: &Args, table: &mut Table) -> Result<()> {
    const PART: i64 = 4000;
    let small = BenchServer::start(&args.binary, &[]).await?;
    let large = BenchServer::start(&args.binary, &[]).await?;
    seed(&large, 1000, 20, 1_000_000).await?;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        // The queue is refilled for each round: at most four thousand runs wait, and one thousand at its end.
        seed(&small, 10, 20, PART + 1000).await?;
        few.push(rate(&small, PART).await?);
        many.push(rate(&large, PART).await?);
    }
    table.row(
        "4",
        "cost of a grant with 1 million pending and 1,000 projects / a few thousand and 10",
        format!("{} / {} runs per s", spread(&many), spread(&few)),
        format!("{:.2} × (gate 1.2 ×)", median(&few) / median(&many)),
    );
    Ok(())
}

async fn snapshot(args: &Args, table: &mut Table) -> Result<()> {
    let server = BenchServer::start(&args.binary, &[]).await?;
    seed(&server, 20, 50, 400_000).await?;
    let mut holder = PgConnection::connect(&server.ready.database_url).await?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    without.push(rate(&server, 20_000).await?);
    holder
        .execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM runs.pools")
        .await?;
    let held = Instant::now();
    while held.elapsed() < Duration::from_secs(60) {
        with.push(rate(&server, 20_000).await?);
    }
    let last = with.last().copied().unwrap_or(f64::NAN);
    holder.execute("COMMIT").await?;
    for _ in 0..args.rounds.min(3) {
        without.push(rate(&server, 20_000).await?);
    }
    table.row(
        "4b",
        "whole runs per s with a snapshot held for 60 s / without",
        format!(
            "{} (last {last:.0}) / {} per s",
            spread(&with),
            spread(&without)
        ),
        format!("{:.2} × (gate 0.8 ×)", median(&with) / median(&without)),
    );
    Ok(())
}
