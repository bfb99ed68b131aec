//! Rows 2 and 2b: the time from the webhook until a worker has the grant.
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::peers;
use crate::{
    args::Args,
    http::{Connection, Prepared},
    payload,
    pgbench::Baseline,
    server::BenchServer,
    stats::{Table, median, millis, percentile},
    workers::{self, Do, Granted},
};

const SAMPLES: usize = 300;

/// Measures the rows.
pub(crate) async fn measure(args: &Args, table: &mut Table) -> Result<()> {
    let server = BenchServer::start(&args.binary, &[]).await?;
    let project = server.project("load", 500).await?;
    let secret = server.repository(&project, 77, "load").await?;
    let prepared = Prepared::new(
        server.authority(),
        &secret,
        &payload::issues_labeled(77, "run:load"),
    );
    let token = server.worker_token("load").await?;
    let (tx, mut granted) = mpsc::unbounded_channel();
    let channel = server.channel(&token).await?;
    let _worker = workers::connect(
        channel,
        "load-1".to_owned(),
        "load",
        500,
        Do::Finish,
        Some(tx),
    )
    .await?;
    if args.wants("2") {
        idle(args, table, &server, &prepared, &mut granted).await?;
    }
    if args.wants("2b") {
        half(args, table, &server, &prepared, &mut granted).await?;
    }
    Ok(())
}

async fn idle(
    args: &Args,
    table: &mut Table,
    server: &BenchServer,
    prepared: &Prepared,
    granted: &mut mpsc::UnboundedReceiver<Granted>,
) -> Result<()> {
    let peers = peers::install().await?;
    let baseline =
        Baseline::make(&server.pool, &server.ready.database_url, server.dir.path()).await?;
    let mut connection = Connection::open(server.authority()).await?;
    let (mut means, mut p99s, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        theirs.push(peers::graphile(&peers, baseline.url(), "latency").await?);
        let mut samples = Vec::with_capacity(SAMPLES);
        for sample in 0..SAMPLES + 20 {
            let sent = Instant::now();
            connection.post(prepared).await?;
            let grant = timeout(Duration::from_secs(5), granted.recv())
                .await?
                .context("the worker is gone")?;
            if sample >= 20 {
                samples.push(grant.at - sent);
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        let samples = millis(&samples);
        means.push(samples.iter().sum::<f64>() / samples.len() as f64);
        p99s.push(percentile(&samples, 99.0));
    }
    table.row(
        "2",
        "webhook sent → grant in the worker's hand, idle: mean / graphile-worker's enqueue → start",
        format!("{:.2} / {:.2} ms", median(&means), median(&theirs)),
        format!(
            "{:.2} × (gate 1.0 ×); p99 {:.1} ms (gate 10 ms)",
            median(&means) / median(&theirs),
            median(&p99s)
        ),
    );
    Ok(())
}

/// Sends webhooks in an open loop: each leaves at its time, whether or not the ones before were answered.
async fn half(
    args: &Args,
    table: &mut Table,
    server: &BenchServer,
    prepared: &Prepared,
    granted: &mut mpsc::UnboundedReceiver<Granted>,
) -> Result<()> {
    let maximum = closed_loop(server, prepared, granted, Duration::from_secs(args.seconds)).await?;
    let rate = maximum / 2.0;
    let mut p99s = Vec::new();
    for _ in 0..args.rounds {
        p99s.push(
            open_loop(
                server,
                prepared,
                granted,
                rate,
                Duration::from_secs(args.seconds),
            )
            .await?,
        );
    }
    table.row(
        "2b",
        "the same at half of the maximum rate of whole runs, open loop: p99",
        format!("{rate:.0} of {maximum:.0} per s"),
        format!("p99 {:.0} ms (gate 50 ms)", median(&p99s)),
    );
    Ok(())
}

/// Returns the highest rate at which webhooks become grants.
async fn closed_loop(
    server: &BenchServer,
    prepared: &Prepared,
    granted: &mut mpsc::UnboundedReceiver<Granted>,
    time: Duration,
) -> Result<f64> {
    let began = Instant::now();
    let round = crate::http::load(server.authority(), prepared, 64, time, 202).await?;
    for _ in 0..round.accepted {
        timeout(Duration::from_secs(60), granted.recv())
            .await?
            .context("the worker is gone")?;
    }
    Ok(round.accepted as f64 / began.elapsed().as_secs_f64())
}

async fn open_loop(
    server: &BenchServer,
    prepared: &Prepared,
    granted: &mut mpsc::UnboundedReceiver<Granted>,
    rate: f64,
    time: Duration,
) -> Result<f64> {
    const SENDERS: usize = 64;
    let total = (rate * time.as_secs_f64()) as usize;
    let (jobs, queue) = shared_queue();
    let mut senders = Vec::new();
    for _ in 0..SENDERS {
        let (queue, prepared) = (queue.clone(), prepared.clone());
        let mut connection = Connection::open(server.authority()).await?;
        senders.push(tokio::spawn(async move {
            loop {
                // The lock ends with this statement, so that the others send while one sender waits for its response.
                let job = queue.lock().await.recv().await;
                if job.is_none() || connection.post(&prepared).await.is_err() {
                    return;
                }
            }
        }));
    }
    let mut tick = interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut due, mut sent) = (0.0, Vec::with_capacity(total));
    while sent.len() < total {
        tick.tick().await;
        due += rate / 1000.0;
        while (sent.len() as f64) < due && sent.len() < total {
            sent.push(Instant::now());
            jobs.send(())?;
        }
    }
    drop(jobs);
    let mut arrived = Vec::with_capacity(total);
    for _ in 0..total {
        arrived.push(
            timeout(Duration::from_secs(60), granted.recv())
                .await?
                .context("the worker is gone")?
                .at,
        );
    }
    for sender in senders {
        sender.await?;
    }
    // Webhooks are alike, so the n-th grant is held against the n-th webhook: the order in between costs nobody
    // anything.
    arrived.sort();
    let latencies: Vec<Duration> = sent
        .iter()
        .zip(&arrived)
        .map(|(s, a)| a.saturating_duration_since(*s))
        .collect();
    Ok(percentile(&millis(&latencies), 99.0))
}

type Queue = std::sync::Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>>;

fn shared_queue() -> (mpsc::UnboundedSender<()>, Queue) {
    let (tx, rx) = mpsc::unbounded_channel();
    (tx, std::sync::Arc::new(tokio::sync::Mutex::new(rx)))
}
