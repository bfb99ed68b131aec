//! Row 7: log bytes stored over gRPC against the same chunks one by one, and from a line to a viewer who follows.
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use ck8s_proto::runs::v1::{
    AppendLogRequest, LeaseRef, LogAppend, LogChunk, LogStream, ReadLogRequest, RunSpec,
    StartRunRequest, lease_service_client::LeaseServiceClient,
    runs_service_client::RunsServiceClient,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    args::Args,
    pgbench::Baseline,
    server::{Authorized, BenchServer},
    stats::{Table, median, millis, percentile},
    workers::{self, Do},
};

const CLIENTS: usize = 8;

/// Returns 14 KB of lines as a build prints them.
fn chunk() -> String {
    let mut text = String::new();
    let mut n = 0_u32;
    while text.len() < 14_000 {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(&format!(
            "2026-11-23T10:{:02}:{:02}Z compiling crate-{n:08x} v0.{}.{} (checked)\n",
            n % 60,
            n % 59,
            n % 40,
            n % 7
        ));
    }
    text
}

/// Measures the row.
pub(crate) async fn measure(args: &Args, table: &mut Table) -> Result<()> {
    let server = BenchServer::start(&args.binary, &[]).await?;
    let project = server.project("load", 50).await?;
    let baseline =
        Baseline::make(&server.pool, &server.ready.database_url, server.dir.path()).await?;
    let token = server.worker_token("load").await?;
    let (tx, mut granted) = mpsc::unbounded_channel();
    let _worker = workers::connect(
        server.channel(&token).await?,
        "load-1".to_owned(),
        "load",
        50,
        Do::Hold,
        Some(tx),
    )
    .await?;
    let mut leases = Vec::new();
    for _ in 0..=CLIENTS {
        start(&server, &project).await?;
        leases.push(
            timeout(Duration::from_secs(5), granted.recv())
                .await?
                .context("the worker is gone")?
                .lease,
        );
    }
    let text = chunk();
    let (mut ours, mut yardstick) = (Vec::new(), Vec::new());
    let mut offsets = vec![0_i64; CLIENTS];
    for _ in 0..args.rounds {
        yardstick
            .push(baseline.chunks(CLIENTS, args.seconds, &text).await? * text.len() as f64 / 1e6);
        ours.push(
            append(
                &server,
                &token,
                &leases[..CLIENTS],
                &mut offsets,
                &text,
                args.seconds,
            )
            .await?,
        );
    }
    let live = live(&server, &token, &leases[CLIENTS]).await?;
    table.row(
        "7",
        "log bytes stored over gRPC / pgbench with the same chunks one by one; line → live viewer",
        format!("{:.0} / {:.0} MB/s", median(&ours), median(&yardstick)),
        format!(
            "{:.2} × (gate 0.7 ×); p99 {live:.1} ms (gate 250 ms)",
            median(&ours) / median(&yardstick)
        ),
    );
    Ok(())
}

async fn start(server: &BenchServer, project: &str) -> Result<()> {
    let request = StartRunRequest {
        project: project.to_owned(),
        spec: Some(RunSpec {
            command: vec!["true".to_owned()],
            labels: vec!["load".to_owned()],
            ..RunSpec::default()
        }),
        ..StartRunRequest::default()
    };
    RunsServiceClient::new(server.admin().await?)
        .start_run(request)
        .await?;
    Ok(())
}

fn request(lease: &LeaseRef, offset: i64, data: Bytes) -> AppendLogRequest {
    let chunk = LogChunk {
        offset,
        data,
        stream: LogStream::Output.into(),
        ..LogChunk::default()
    };
    AppendLogRequest {
        appends: vec![LogAppend {
            lease: Some(lease.clone()),
            chunk: Some(chunk),
            ..LogAppend::default()
        }],
    }
}

/// Returns megabytes per second; each client writes the log of one run.
async fn append(
    server: &BenchServer,
    token: &str,
    leases: &[LeaseRef],
    offsets: &mut [i64],
    text: &str,
    seconds: u64,
) -> Result<f64> {
    let data = Bytes::copy_from_slice(text.as_bytes());
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for (n, lease) in leases.iter().cloned().enumerate() {
        let mut client = LeaseServiceClient::new(server.channel(token).await?);
        let (data, mut offset) = (data.clone(), offsets[n]);
        tasks.spawn(async move {
            let from = offset;
            while began.elapsed() < Duration::from_secs(seconds) {
                let result = client
                    .append_log(request(&lease, offset, data.clone()))
                    .await?
                    .into_inner()
                    .results
                    .pop()
                    .context("a result")?;
                ensure!(!result.stale, "the lease is gone");
                if result.truncated {
                    break;
                }
                ensure!(
                    result.end_offset == offset + i64::try_from(data.len())?,
                    "a chunk is missing"
                );
                offset = result.end_offset;
            }
            Ok((n, offset, offset - from))
        });
    }
    let mut bytes = 0;
    while let Some(done) = tasks.join_next().await {
        let (n, offset, written) = done??;
        offsets[n] = offset;
        bytes += written;
    }
    Ok(bytes as f64 / 1e6 / began.elapsed().as_secs_f64())
}

/// Returns the p99 in milliseconds from a line's AppendLog until a follower receives it.
async fn live(server: &BenchServer, token: &str, lease: &LeaseRef) -> Result<f64> {
    let follow = ReadLogRequest {
        run_id: lease.run_id.clone(),
        follow: true,
        ..ReadLogRequest::default()
    };
    let admin: Authorized = server.admin().await?;
    let mut stream = RunsServiceClient::new(admin)
        .read_log(follow)
        .await?
        .into_inner();
    let mut client = LeaseServiceClient::new(server.channel(token).await?);
    let (mut offset, mut latencies) = (0, Vec::new());
    for n in 0..300 {
        let line = Bytes::from(format!("line {n}\n"));
        let end = offset + i64::try_from(line.len())?;
        let sent = Instant::now();
        client.append_log(request(lease, offset, line)).await?;
        let mut seen = 0;
        while seen < end {
            let response = timeout(Duration::from_secs(5), stream.message())
                .await??
                .context("the log ended")?;
            seen = response
                .chunks
                .last()
                .map_or(seen, |c| c.offset + c.data.len() as i64);
        }
        latencies.push(sent.elapsed());
        offset = end;
        sleep(Duration::from_millis(3)).await;
    }
    Ok(percentile(&millis(&latencies), 99.0))
}
