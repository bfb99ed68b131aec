//! Logs of pods that are rotated while connections break and workers are killed: every line once, in order, or a gap
//! that is shown. `CK8S_TEST_ROUNDS` says how often (1), `CK8S_TEST_SEED` what happens when.
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ck8s_proto::runs::v1::{Run, RunReason, RunSpec, RunState};
use ck8s_tests::{Setup, World, ended};
use futures::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::kubernetes::{Cluster, pod};

/// Lines of one pod: twice and more what a kubelet keeps in one file (10 MB).
const LINES: u32 = 270_000;
/// Pods of one round, at the same time.
const PODS: usize = 2;
/// Bounds the wait for the end of a pod.
const END_TIMEOUT: Duration = Duration::from_secs(240);
/// What our lines say where output may be missing.
const GAP: &str = "of the log may be missing";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute a round: `just kubernetes-logs`"]
async fn every_line_is_there_once_or_the_log_says_that_some_are_missing() {
    let Some(cluster) = Cluster::from_env().await else {
        return;
    };
    let rounds: usize = variable("CK8S_TEST_ROUNDS").unwrap_or(1);
    let seed = variable("CK8S_TEST_SEED").unwrap_or_else(|| rand::rng().random());
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let world = cluster.world_of(Setup::without_worker()).await;
    let proxy = Proxy::start(&cluster.kubeconfig, world.dir.path()).await;
    let args = cluster.args_with(proxy.kubeconfig.to_str().expect("UTF-8"));
    let mut worker = world.worker("node-a", &world.ready.url, &args).await;
    for round in 1..=rounds {
        let start = Instant::now();
        let specs = (0..PODS).map(|_| world.admin.start("acme", lines()));
        let runs = join_all(specs).await;
        let (mut breaks, mut kills) = (0, 0);
        let ends = runs.iter().map(|run| end(&world, &run.id));
        let mut ends = Box::pin(join_all(ends));
        let ends = loop {
            let pause = Duration::from_millis(rng.random_range(300..4000));
            tokio::select! {
                ends = &mut ends => break ends,
                () = tokio::time::sleep(pause) => {}
            }
            match rng.random_range(0..4) {
                0 => {
                    kills += 1;
                    worker.restart();
                }
                _ => {
                    breaks += 1;
                    proxy.breaks.send_replace(());
                }
            }
        };
        let (mut gaps, mut missing) = (0, 0);
        for (run, end) in runs.iter().zip(ends) {
            assert_eq!(
                (end.state(), end.reason(), end.attempt),
                (RunState::Succeeded, RunReason::Completed, 1),
                "{}",
                end.message
            );
            let found = check(&world, &run.id).await;
            (gaps, missing) = (gaps + found.shown, missing + found.missing_lines);
        }
        let seconds = start.elapsed().as_secs();
        println!(
            "round {round}: {PODS} logs whole or their gaps shown ({gaps} gaps, {missing} lines; {breaks} breaks, {kills} kills, {seconds} s)"
        );
    }
    drop(worker);
    drop(world);
    cluster.remove().await;
}

async fn end(world: &World, run: &str) -> Run {
    let started = Instant::now();
    loop {
        let run = world.admin.run(run).await;
        if ended(&run) {
            return run;
        }
        assert!(started.elapsed() < END_TIMEOUT, "does not end: {run:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Writes its lines for half a minute, so that the kubelet rotates more than once.
fn lines() -> RunSpec {
    let script = format!(
        "i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo \"line $i of the output, which is long enough to fill files of ten megabytes\"; \
         [ $((i%1000)) = 0 ] && sleep 0.1; done; sleep 1; exit 0"
    );
    RunSpec {
        cpu: "500m".to_owned(),
        ..pod(&script)
    }
}

/// The gaps of a log.
struct Gaps {
    /// How many the log shows.
    shown: usize,
    /// How many lines are missing there.
    missing_lines: u32,
}

/// Fails where a line is missing without a word, or comes twice. Returns the gaps that the log shows.
async fn check(world: &World, run: &str) -> Gaps {
    let log = world.admin.log(run).await;
    let mut gaps = Gaps {
        shown: 0,
        missing_lines: 0,
    };
    let (mut expected, mut is_gap) = (1, false);
    for line in log.lines() {
        if line.contains(GAP) {
            gaps.shown += 1;
            is_gap = true;
            continue;
        }
        let Some(number) = line
            .strip_prefix("line ")
            .and_then(|rest| rest.split(' ').next())
        else {
            continue;
        };
        let number: u32 = number
            .parse()
            .unwrap_or_else(|_| panic!("run {run}: {line:?}"));
        let fits = number == expected || (is_gap && number > expected);
        assert!(fits, "run {run}: line {number} where {expected} should be");
        gaps.missing_lines += number - expected;
        (expected, is_gap) = (number + 1, false);
    }
    assert!(
        expected == LINES + 1 || is_gap,
        "run {run}: the log ends with line {} and says nothing",
        expected - 1
    );
    gaps.missing_lines += LINES + 1 - expected;
    let told = world.admin.kinds(run).await;
    let is_told = told.iter().any(|kind| kind == "run.log_incomplete");
    assert_eq!(
        gaps.shown > 0,
        is_told,
        "run {run}: {} gaps, and the events {told:?}",
        gaps.shown
    );
    gaps
}

/// A way to the API server whose connections all break when it is told so.
struct Proxy {
    breaks: watch::Sender<()>,
    kubeconfig: PathBuf,
}

impl Proxy {
    async fn start(kubeconfig: &str, dir: &Path) -> Self {
        let text = std::fs::read_to_string(kubeconfig).expect("a kubeconfig");
        let server = text.split("https://").nth(1).expect("a server");
        let end = server.find(|c: char| c.is_whitespace() || c == '"');
        let server = server[..end.unwrap_or(server.len())].to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = listener.local_addr().expect("an address").to_string();
        let path = dir.join("proxy-kubeconfig");
        std::fs::write(&path, text.replace(&server, &address)).expect("is written");
        let breaks = watch::Sender::new(());
        let broken = breaks.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, mut broken) = (server.clone(), broken.subscribe());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(&server).await?;
                    tokio::select! {
                        done = copy_bidirectional(&mut client, &mut server) => done.map(drop),
                        _ = broken.changed() => Ok(()),
                    }
                });
            }
        });
        Self {
            breaks,
            kubeconfig: path,
        }
    }
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
