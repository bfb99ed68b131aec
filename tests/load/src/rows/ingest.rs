//! Rows 1, 1c, 1d: durable 202s through the public edge, against one-row transactions and against a receiver that
//! stores nothing.
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::peers;
use crate::{
    args::Args,
    http::{self, Prepared, Round},
    payload,
    pgbench::Baseline,
    server::BenchServer,
    stats::{Table, median, millis, percentile, spread},
};

const CONNECTIONS: usize = 256;
const DELIVERIES: &str = "SELECT count(*) FROM ingress.deliveries";
const RUNS: &str = "SELECT count(*) FROM runs.runs";
const EVENTS: &str = "SELECT count(*) FROM audit.flow_events WHERE kind = 'run.created'";

/// Measures the rows.
pub(crate) async fn measure(args: &Args, table: &mut Table) -> Result<()> {
    let server = BenchServer::start(&args.binary, &[]).await?;
    let project = server.project("load", 10).await?;
    let secret = server.repository(&project, 77, "nobody").await?;
    let body = payload::issues_labeled(77, "run:load");
    let prepared = Prepared::new(server.authority(), &secret, &body);
    let baseline =
        Baseline::make(&server.pool, &server.ready.database_url, server.dir.path()).await?;
    let time = Duration::from_secs(args.seconds);

    if args.wants("1") || args.wants("1d") {
        let (mut ours, mut acked, mut yardstick, mut p99) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut single_ours, mut single_yard) = (Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            let eight = baseline.ingest(8, args.seconds, &body).await?;
            let many = baseline.ingest(32, args.seconds, &body).await?;
            yardstick.push(eight.max(many));
            let (round, whole) = durable(&server, &prepared, CONNECTIONS, time).await?;
            acked.push(round.accepted as f64 / round.elapsed.as_secs_f64());
            ours.push(round.accepted as f64 / whole.as_secs_f64());
            p99.push(percentile(&millis(&round.latencies), 99.0));
            single_yard.push(1000.0 / baseline.ingest(1, args.seconds, &body).await?);
            let (round, _) = durable(&server, &prepared, 1, time).await?;
            single_ours.push(median(&millis(&round.latencies)));
        }
        table.row(
            "1",
            "durable 202s, 256 connections, until every run and event is stored / yardstick (best of 8, 32)",
            format!("{} per s (acknowledged: {}) / {} per s", spread(&ours), spread(&acked), spread(&yardstick)),
            format!("{:.2} × (gate 2.0 ×; acknowledged: {:.2} ×)", median(&ours) / median(&yardstick), median(&acked) / median(&yardstick)),
        );
        table.row(
            "1d",
            "one connection / one single-row transaction; p99 at 256 connections",
            format!(
                "{:.2} / {:.2} ms",
                median(&single_ours),
                median(&single_yard)
            ),
            format!(
                "{:.2} × (gate 2 ×); p99 {:.0} ms (gate 50 ms)",
                median(&single_ours) / median(&single_yard),
                median(&p99)
            ),
        );
    }
    if args.wants("1c") {
        against_probot(args, table, &server, &prepared, &secret, &body).await?;
    }
    Ok(())
}

async fn against_probot(
    args: &Args,
    table: &mut Table,
    server: &BenchServer,
    prepared: &Prepared,
    secret: &str,
    body: &[u8],
) -> Result<()> {
    let (_probot, authority) = peers::probot(&peers::install().await?, secret).await?;
    let to_probot = Prepared::new(&authority, secret, body);
    let time = Duration::from_secs(args.seconds);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        let round = http::load(&authority, &to_probot, CONNECTIONS, time, 200).await?;
        theirs.push(round.accepted as f64 / round.elapsed.as_secs_f64());
        let (round, whole) = durable(server, prepared, CONNECTIONS, time).await?;
        ours.push(round.accepted as f64 / whole.as_secs_f64());
    }
    table.row(
        "1c",
        "the same / probot, which stores nothing",
        format!("{} / {} per s", spread(&ours), spread(&theirs)),
        format!("{:.2} × (gate 1.0 ×)", median(&ours) / median(&theirs)),
    );
    Ok(())
}

/// Runs a round of load and returns how long it took until every delivery had its run. The rows are counted.
async fn durable(
    server: &BenchServer,
    prepared: &Prepared,
    connections: usize,
    time: Duration,
) -> Result<(Round, Duration)> {
    let before = (
        server.count(DELIVERIES).await?,
        server.count(RUNS).await?,
        server.count(EVENTS).await?,
    );
    let began = Instant::now();
    let round = http::load(server.authority(), prepared, connections, time, 202).await?;
    let wanted = i64::try_from(round.accepted)?;
    let stored = server.count(DELIVERIES).await? - before.0;
    ensure!(
        stored == wanted,
        "{wanted} were acknowledged, {stored} are stored"
    );
    while server.count(RUNS).await? - before.1 < wanted {
        ensure!(
            began.elapsed() < Duration::from_secs(60),
            "runs are missing after a minute"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let whole = began.elapsed();
    let events = server.count(EVENTS).await? - before.2;
    ensure!(events == wanted, "{wanted} runs, {events} events");
    Ok((round, whole))
}
