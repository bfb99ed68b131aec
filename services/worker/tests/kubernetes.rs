//! The kubernetes executor on a real cluster (`CK8S_TEST_KUBECONFIG`): isolation, reasons of failures, adoption,
//! fencing.
mod common;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use ck8s_types::{Epoch, RunId, RunReason, RunSpec};
use ck8s_worker::{ExecutorError, Exit, Workload, WorkloadEvent, WorkloadRequest};
use common::{Bench, Lease, Log, end, kubernetes, request, running, spec, until, within};

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

/// Runs `kubectl` for the pods of one run.
fn pods(request: &WorkloadRequest, verb: &str, more: &[&str]) -> String {
    let selector = format!("ck8s.io/run-id={}", request.id.run_id);
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

fn pod_uids(request: &WorkloadRequest) -> String {
    let uids = ["--output", "jsonpath={.items[*].metadata.uid}"];
    pods(request, "get", &uids)
}

async fn remove(bench: &Bench, request: &WorkloadRequest) {
    within(bench.executor.remove(&request.id, None, Duration::ZERO))
        .await
        .expect("is removed");
}

/// Runs a workload to its end. Returns its exit and its output.
async fn outcome(bench: &Bench, spec: RunSpec) -> (Exit, String) {
    let (request, _lease) = request(spec);
    let log = Log::new();
    let exit = match bench.executor.start(&request, &log.sink).await {
        Ok(mut workload) => end(&mut workload).await.1.expect("ends"),
        Err(ExecutorError::Refused(exit)) => exit,
        Err(error) => panic!("{error}"),
    };
    remove(bench, &request).await;
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
    let expected = [
        "65532",
        "read-only",
        "no token",
        "/work",
        "/work",
        "hunter22",
        "CapEff: 0000000000000000",
        "NoNewPrivs: 1",
    ];
    assert_eq!(lines, expected);
}

/// Runs a workload to its end, which must have this reason. Returns the exit's message.
async fn failure(bench: &Bench, spec: RunSpec, reason: RunReason) -> String {
    let (exit, _) = outcome(bench, spec).await;
    assert_eq!(exit.reason, reason, "{}", exit.message);
    exit.message
}

#[tokio::test]
async fn failures_have_reasons() {
    let Some(bench) = kubernetes().await else {
        return;
    };
    let start = Instant::now();
    let missing_image = RunSpec {
        image: "ck8s.test/none:1".into(),
        ..spec("true")
    };
    let message = failure(&bench, missing_image, RunReason::ImagePull).await;
    assert!(message.contains("ck8s.test/none:1"), "{message}");
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "took {:?}",
        start.elapsed()
    );
    let invalid_image = RunSpec {
        image: "Not An Image".into(),
        ..spec("true")
    };
    failure(&bench, invalid_image, RunReason::ImagePull).await;
    failure(&bench, spec("tail /dev/zero"), RunReason::OomKilled).await;
    let too_much_cpu = RunSpec {
        cpu: "1000".into(),
        ..spec("true")
    };
    failure(&bench, too_much_cpu, RunReason::QuotaDenied).await;
    let invalid_cpu = RunSpec {
        cpu: "a lot".into(),
        ..spec("true")
    };
    failure(&bench, invalid_cpu, RunReason::ConfigError).await;
    let egress_by_name = RunSpec {
        egress: vec!["api.github.com:443".into()],
        ..spec("true")
    };
    let message = failure(&bench, egress_by_name, RunReason::ConfigError).await;
    assert!(message.contains("CIDR[:port]"), "{message}");
}

#[tokio::test]
async fn the_schedulers_message_is_reported() {
    let Some(bench) = kubernetes().await else {
        return;
    };
    let (request, _lease) = request(RunSpec {
        cpu: "100".into(),
        egress: vec!["10.0.0.0/8:443".into()],
        ..spec("true")
    });
    let log = Log::new();
    let mut workload = bench
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    let event = within(workload.watch()).await;
    let WorkloadEvent::StartDelayed(exit) = event else {
        panic!("{event:?}")
    };
    assert_eq!(exit.reason, RunReason::Unschedulable);
    assert!(exit.message.contains("0/1 nodes"), "{}", exit.message);
    remove(&bench, &request).await;
}

#[tokio::test]
async fn a_workload_is_lost_when_somebody_removes_its_pod() {
    let Some(bench) = kubernetes().await else {
        return;
    };
    let (request, _lease) = request(spec("sleep 60"));
    let log = Log::new();
    let mut workload = bench
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    running(&mut workload).await;
    pods(&request, "delete", &["--force", "--grace-period", "0"]);
    let (_, lost) = end(&mut workload).await;
    assert!(lost.expect_err("is lost").contains("somebody else"));
    remove(&bench, &request).await;
    assert_eq!(pods(&request, "get", &["--output", "name"]), "");
}

/// Adopts a workload as another worker, after the first one has vanished.
async fn adopt(other: &Bench, request: &WorkloadRequest, log: &Log) -> Workload {
    within(other.executor.adopt(request, &log.sink))
        .await
        .expect("adopts")
        .expect("is there")
}

#[tokio::test]
async fn another_worker_adopts_a_workload_and_its_log() {
    let (Some(bench), Some(other)) = (kubernetes().await, kubernetes().await) else {
        return;
    };
    let (mut request, _lease): (WorkloadRequest, Lease) =
        request(spec("echo one; sleep 5; echo two; exit 7"));
    let log = Log::with_notes(100);
    let mut workload = bench
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    running(&mut workload).await;
    until("the start of the log is recorded", || {
        annotations(&request).contains("\"ck8s.io/log-start\":\"100\"")
    })
    .await;
    let before = pod_uids(&request);
    drop(workload);
    drop(log);
    // 100 bytes of notes and "one\n" were stored.
    (request.epoch, request.stored_log) = (Epoch(5), 104);
    let log = Log::new();
    let mut workload = adopt(&other, &request, &log).await;
    assert_superseded(&bench, &mut request).await;
    running(&mut workload).await;
    assert_eq!(
        pod_uids(&request),
        before,
        "there is still the same workload"
    );
    let exit = end(&mut workload).await.1.expect("ends");
    assert_eq!((exit.reason, exit.code), (RunReason::AgentError, Some(7)));
    drop(workload);
    assert_eq!(log.read().await.0, "two\n");
    // A workload that has ended can still be adopted for its result.
    request.epoch = Epoch(6);
    let mut late = adopt(&bench, &request, &Log::new()).await;
    let (ran, exit) = end(&mut late).await;
    assert!(ran);
    assert_eq!(exit.expect("ends").code, Some(7));
    remove(&bench, &request).await;
}

/// Older leases can neither remove nor adopt a workload.
async fn assert_superseded(bench: &Bench, request: &mut WorkloadRequest) {
    let removed = bench
        .executor
        .remove(&request.id, Some(Epoch(1)), Duration::ZERO)
        .await;
    assert_eq!(
        removed,
        Err(ExecutorError::Superseded),
        "an older lease cannot remove it"
    );
    request.epoch = Epoch(4);
    let error = bench.executor.adopt(request, &Log::new().sink).await.err();
    assert_eq!(
        error,
        Some(ExecutorError::Superseded),
        "an older lease cannot adopt it"
    );
}

fn annotations(request: &WorkloadRequest) -> String {
    let selector = format!("ck8s.io/run-id={}", request.id.run_id);
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
    let (request, _lease) = request(spec("true"));
    remove(&bench, &request).await;
    outcome(&bench, spec("true")).await;
    let run: RunId = request.id.run_id;
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
    assert!(found.contains(&request.id));
    remove(&bench, &request).await;
    let found = bench.executor.leftovers().await.expect("lists");
    assert!(!found.contains(&request.id));
}
