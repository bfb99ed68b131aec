//! The kubernetes executor on a real cluster (`CK8S_TEST_KUBECONFIG`): isolation, named reasons, adoption, fencing.
mod common;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use ck8s_types::{Epoch, RunId, RunReason, RunSpec};
use ck8s_worker::{Event, Exit, Order, StartError, Workload};
use common::{Bench, Lease, Log, end, kubernetes, order, running, spec, until, within};

fn kubectl(arguments: &[&str]) -> String {
    let kubeconfig = std::env::var_os("CK8S_TEST_KUBECONFIG").expect("a cluster");
    let output = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(arguments)
        .output();
    let output = output.expect("kubectl runs");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("is text")
}

/// `kubectl`, about the pods of one run.
fn pods(order: &Order, verb: &str, more: &[&str]) -> String {
    let selector = format!("ck8s.io/run-id={}", order.target.run);
    let mut arguments = vec![
        verb,
        "pods",
        "--namespace",
        "ck8s-worker-test",
        "--selector",
        &selector,
    ];
    arguments.extend(more);
    kubectl(&arguments)
}

async fn remove(bench: &Bench, order: &Order) {
    within(bench.executor.remove(&order.target, None, Duration::ZERO))
        .await
        .expect("is removed");
}

/// Runs to the end: the result, and the output.
async fn outcome(bench: &Bench, spec: RunSpec) -> (Exit, String) {
    let (order, _lease) = order(spec);
    let log = Log::new();
    let exit = match bench.executor.start(&order, &log.sink).await {
        Ok(mut workload) => end(&mut workload).await.1.expect("ends"),
        Err(StartError::Refused(exit)) => exit,
        Err(error) => panic!("{error}"),
    };
    remove(bench, &order).await;
    (exit, log.read().await.0)
}

#[tokio::test]
async fn the_pod_is_restricted() {
    let Some(bench) = kubernetes().await else {
        return;
    };
    let script = "id -u; touch /x 2>/dev/null || echo read-only; ls /var/run/secrets 2>/dev/null || echo no token; touch /work/a /tmp/a && pwd; echo $HOME; echo $SECRET; grep -i -e ^capeff -e ^nonewprivs /proc/self/status";
    let (exit, output) = outcome(&bench, spec(script)).await;
    assert_eq!(exit.reason, RunReason::Completed, "{output}");
    let lines: Vec<_> = output.lines().map(|l| l.replace('\t', " ")).collect();
    let wanted = [
        "65532",
        "read-only",
        "no token",
        "/work",
        "/work",
        "hunter22",
        "CapEff: 0000000000000000",
        "NoNewPrivs: 1",
    ];
    assert_eq!(lines, wanted);
}

#[tokio::test]
async fn faults_have_names() {
    let Some(bench) = kubernetes().await else {
        return;
    };
    let start = Instant::now();
    let (exit, _) = outcome(
        &bench,
        RunSpec {
            image: "ck8s.test/none:1".into(),
            ..spec("true")
        },
    )
    .await;
    assert_eq!(exit.reason, RunReason::ImagePull, "{}", exit.message);
    assert!(
        exit.message.contains("ck8s.test/none:1"),
        "{}",
        exit.message
    );
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "took {:?}",
        start.elapsed()
    );
    let (exit, _) = outcome(
        &bench,
        RunSpec {
            image: "Not An Image".into(),
            ..spec("true")
        },
    )
    .await;
    assert_eq!(exit.reason, RunReason::ImagePull, "{}", exit.message);
    let (exit, _) = outcome(&bench, spec("tail /dev/zero")).await;
    assert_eq!(exit.reason, RunReason::OomKilled, "{}", exit.message);
    let (exit, _) = outcome(
        &bench,
        RunSpec {
            cpu: "1000".into(),
            ..spec("true")
        },
    )
    .await;
    assert_eq!(exit.reason, RunReason::QuotaDenied, "{}", exit.message);
    let (exit, _) = outcome(
        &bench,
        RunSpec {
            cpu: "a lot".into(),
            ..spec("true")
        },
    )
    .await;
    assert_eq!(exit.reason, RunReason::ConfigError, "{}", exit.message);
    let (exit, _) = outcome(
        &bench,
        RunSpec {
            egress: vec!["api.github.com:443".into()],
            ..spec("true")
        },
    )
    .await;
    assert_eq!(exit.reason, RunReason::ConfigError);
    assert!(exit.message.contains("CIDR[:port]"), "{}", exit.message);
}

#[tokio::test]
async fn the_scheduler_is_quoted() {
    let Some(bench) = kubernetes().await else {
        return;
    };
    let (order, _lease) = order(RunSpec {
        cpu: "100".into(),
        egress: vec!["10.0.0.0/8:443".into()],
        ..spec("true")
    });
    let log = Log::new();
    let mut workload = bench
        .executor
        .start(&order, &log.sink)
        .await
        .expect("starts");
    let event = within(workload.watch()).await;
    let Event::Hindered(exit) = event else {
        panic!("{event:?}")
    };
    assert_eq!(exit.reason, RunReason::Unschedulable);
    assert!(exit.message.contains("0/1 nodes"), "{}", exit.message);
    remove(&bench, &order).await;
}

#[tokio::test]
async fn a_pod_that_somebody_removes_is_lost() {
    let Some(bench) = kubernetes().await else {
        return;
    };
    let (order, _lease) = order(spec("sleep 60"));
    let log = Log::new();
    let mut workload = bench
        .executor
        .start(&order, &log.sink)
        .await
        .expect("starts");
    running(&mut workload).await;
    pods(&order, "delete", &["--force", "--grace-period", "0"]);
    let (_, lost) = end(&mut workload).await;
    assert!(lost.expect_err("is lost").contains("somebody else"));
    remove(&bench, &order).await;
    assert_eq!(pods(&order, "get", &["--output", "name"]), "");
}

/// As another worker, after the first one is gone without a word.
async fn adopted(other: &Bench, order: &Order, log: &Log) -> Workload {
    within(other.executor.adopt(order, &log.sink))
        .await
        .expect("adopts")
        .expect("is there")
}

#[tokio::test]
async fn another_worker_adopts_it_and_its_log() {
    let (Some(bench), Some(other)) = (kubernetes().await, kubernetes().await) else {
        return;
    };
    let (mut order, _lease): (Order, Lease) = order(spec("echo one; sleep 5; echo two; exit 7"));
    let log = Log::skipping(100);
    let mut workload = bench
        .executor
        .start(&order, &log.sink)
        .await
        .expect("starts");
    running(&mut workload).await;
    until("where the log begins is noted", || {
        annotation(&order).contains("\"ck8s.io/log-start\":\"100\"")
    })
    .await;
    let before = pods(
        &order,
        "get",
        &["--output", "jsonpath={.items[*].metadata.uid}"],
    );
    drop(workload);
    drop(log);
    // 100 bytes of notes and "one\n" were stored.
    (order.epoch, order.stored_log) = (Epoch(5), 104);
    let log = Log::new();
    let mut workload = adopted(&other, &order, &log).await;
    let error = bench
        .executor
        .remove(&order.target, Some(Epoch(1)), Duration::ZERO)
        .await;
    assert_eq!(
        error,
        Err(StartError::Superseded),
        "an older lease cannot remove it"
    );
    order.epoch = Epoch(4);
    let error = bench.executor.adopt(&order, &Log::new().sink).await.err();
    assert_eq!(
        error,
        Some(StartError::Superseded),
        "an older lease cannot adopt it"
    );
    running(&mut workload).await;
    assert_eq!(
        pods(
            &order,
            "get",
            &["--output", "jsonpath={.items[*].metadata.uid}"]
        ),
        before,
        "one workload in all"
    );
    let exit = end(&mut workload).await.1.expect("ends");
    assert_eq!((exit.reason, exit.code), (RunReason::AgentError, Some(7)));
    drop(workload);
    assert_eq!(log.read().await.0, "two\n");
    // Ended, it can still be adopted, for its result.
    order.epoch = Epoch(6);
    let mut late = adopted(&bench, &order, &Log::new()).await;
    let (ran, exit) = end(&mut late).await;
    assert!(ran);
    assert_eq!(exit.expect("ends").code, Some(7));
    remove(&bench, &order).await;
}

fn annotation(order: &Order) -> String {
    let selector = format!("ck8s.io/run-id={}", order.target.run);
    let jobs = [
        "get",
        "jobs",
        "--namespace",
        "ck8s-worker-test",
        "--selector",
        &selector,
    ];
    kubectl(
        &[
            &jobs[..],
            &["--output", "jsonpath={.items[*].metadata.annotations}"],
        ]
        .concat(),
    )
}

#[tokio::test]
async fn an_orphaned_secret_is_found_and_removed() {
    let Some(bench) = kubernetes().await else {
        return;
    };
    let (order, _lease) = order(spec("true"));
    remove(&bench, &order).await;
    outcome(&bench, spec("true")).await;
    let run: RunId = order.target.run;
    let name = format!("run-{}-1", run.uuid().simple());
    kubectl(&[
        "create",
        "secret",
        "generic",
        &name,
        "--namespace",
        "ck8s-worker-test",
    ]);
    let labels = [
        format!("ck8s.io/run-id={run}"),
        "ck8s.io/attempt=1".to_owned(),
        "ck8s.io/managed-by=ck8s".to_owned(),
    ];
    let mut arguments = vec!["label", "secret", &name, "--namespace", "ck8s-worker-test"];
    arguments.extend(labels.iter().map(String::as_str));
    kubectl(&arguments);
    let found = bench.executor.leftovers().await.expect("lists");
    assert!(found.contains(&order.target));
    remove(&bench, &order).await;
    let found = bench.executor.leftovers().await.expect("lists");
    assert!(!found.contains(&order.target));
}
