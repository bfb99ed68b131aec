//! The kubernetes executor on a real cluster (`CK8S_TEST_KUBECONFIG`): isolation, reasons of failures, adoption,
//! fencing.
mod common;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use ck8s_types::{Epoch, InstallationId, RunId, RunReason, RunSpec};
use ck8s_worker::{ExecutorError, Exit, StoredLog, Workload, WorkloadEvent, WorkloadRequest};
use common::{
    Fixture, Lease, Log, end, kubernetes, kubernetes_of, request, running, spec, until, within,
};
use secrecy::ExposeSecret;

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

async fn remove(fixture: &Fixture, request: &WorkloadRequest) {
    within(fixture.executor.remove(&request.id, None, Duration::ZERO))
        .await
        .expect("is removed");
}

/// Runs a workload to its end. Returns its exit and its output.
async fn outcome(fixture: &Fixture, spec: RunSpec) -> (Exit, String) {
    let (request, _lease) = request(spec);
    let log = Log::new();
    let exit = match fixture.executor.start(&request, &log.sink).await {
        Ok(mut workload) => end(&mut workload).await.1.expect("ends"),
        Err(ExecutorError::Refused(exit)) => exit,
        Err(error) => panic!("{error}"),
    };
    remove(fixture, &request).await;
    (exit, log.read().await.0)
}

#[tokio::test]
async fn the_pod_is_restricted() {
    let Some(fixture) = kubernetes().await else {
        return;
    };
    let script = "id -u; touch /x 2>/dev/null || echo read-only; ls /var/run/secrets 2>/dev/null || echo no token; touch /work/a /tmp/a && pwd; echo $HOME; echo $SECRET; grep -i -e ^capeff -e ^nonewprivs /proc/self/status";
    let (exit, output) = outcome(&fixture, spec(script)).await;
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
async fn failure(fixture: &Fixture, spec: RunSpec, reason: RunReason) -> String {
    let (exit, _) = outcome(fixture, spec).await;
    assert_eq!(exit.reason, reason, "{}", exit.message);
    exit.message
}

#[tokio::test]
async fn failures_have_reasons() {
    let Some(fixture) = kubernetes().await else {
        return;
    };
    let start = Instant::now();
    let missing_image = RunSpec {
        image: "ck8s.test/none:1".into(),
        ..spec("true")
    };
    let message = failure(&fixture, missing_image, RunReason::ImagePull).await;
    assert!(message.contains("ck8s.test/none:1"), "{message}");
    assert!(
        start.elapsed() < Duration::from_secs(90),
        "took {:?}",
        start.elapsed()
    );
    let invalid_image = RunSpec {
        image: "Not An Image".into(),
        ..spec("true")
    };
    failure(&fixture, invalid_image, RunReason::ImagePull).await;
    failure(&fixture, spec("tail /dev/zero"), RunReason::OomKilled).await;
    let too_much_cpu = RunSpec {
        cpu: "1000".into(),
        ..spec("true")
    };
    failure(&fixture, too_much_cpu, RunReason::QuotaDenied).await;
    let invalid_cpu = RunSpec {
        cpu: "a lot".into(),
        ..spec("true")
    };
    failure(&fixture, invalid_cpu, RunReason::ConfigError).await;
    let egress_by_name = RunSpec {
        egress: vec!["api.github.com:443".into()],
        ..spec("true")
    };
    let message = failure(&fixture, egress_by_name, RunReason::ConfigError).await;
    assert!(message.contains("CIDR[:port]"), "{message}");
}

#[tokio::test]
async fn no_policy_reaches_link_local_addresses_or_metadata() {
    let Some(fixture) = kubernetes().await else {
        return;
    };
    let metadata = RunSpec {
        egress: vec!["169.254.169.254:80".into()],
        ..spec("true")
    };
    let message = failure(&fixture, metadata, RunReason::ConfigError).await;
    assert!(message.contains("no run may reach"), "{message}");

    let (request, _lease) = request(RunSpec {
        egress: vec!["0.0.0.0/0:443".into(), "::/0".into(), "10.0.0.0/8".into()],
        ..spec("sleep 60")
    });
    let log = Log::new();
    let workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    let selector = format!("ck8s.io/run-id={}", request.id.run_id);
    let namespace = format!("ck8s-{}", request.id.project);
    let blocks = "jsonpath={range .items[*].spec.egress[*].to[*]}{.ipBlock.cidr} {.ipBlock.except}{\"\\n\"}{end}";
    let get = ["get", "networkpolicies", "-n", &namespace, "-o", blocks];
    let stored = kubectl(&[&get[..], &["-l", &selector]].concat());
    let stored: Vec<&str> = stored.lines().collect();
    assert_eq!(stored.len(), 3, "{stored:?}");
    for (line, cidr, except) in [
        (stored[0], "0.0.0.0/0 ", "169.254.0.0/16"),
        (stored[1], "::/0 ", "fe80::/10"),
        (stored[2], "10.0.0.0/8 ", ""),
    ] {
        assert!(
            line.starts_with(cidr) && line.contains(except),
            "{stored:?}"
        );
    }
    let default = kubectl(
        &[
            &get[..],
            &["--field-selector", "metadata.name=ck8s-default"],
        ]
        .concat(),
    );
    assert!(!default.contains("169.254."), "{default}");
    drop(workload);
    remove(&fixture, &request).await;
}

#[tokio::test]
async fn the_schedulers_message_is_reported() {
    let Some(fixture) = kubernetes().await else {
        return;
    };
    let (request, _lease) = request(RunSpec {
        cpu: "100".into(),
        egress: vec!["10.0.0.0/8:443".into()],
        ..spec("true")
    });
    let log = Log::new();
    let mut workload = fixture
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
    remove(&fixture, &request).await;
}

#[tokio::test]
async fn a_workload_is_lost_when_somebody_removes_its_pod() {
    let Some(fixture) = kubernetes().await else {
        return;
    };
    let (request, _lease) = request(spec("sleep 60"));
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    running(&mut workload).await;
    pods(&request, "delete", &["--force", "--grace-period", "0"]);
    let (_, lost) = end(&mut workload).await;
    assert!(lost.expect_err("is lost").contains("somebody else"));
    remove(&fixture, &request).await;
    assert_eq!(pods(&request, "get", &["--output", "name"]), "");
}

#[tokio::test]
async fn a_workload_that_exits_well_when_its_pod_is_deleted_is_lost() {
    let Some(fixture) = kubernetes().await else {
        return;
    };
    let script = "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done";
    let (request, _lease) = request(spec(script));
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    running(&mut workload).await;
    pods(&request, "delete", &["--wait=false"]);
    let (_, lost) = end(&mut workload).await;
    assert!(lost.expect_err("is lost").contains("somebody else"));
    remove(&fixture, &request).await;
}

#[tokio::test]
async fn a_command_runs_as_it_was_written() {
    let Some(fixture) = kubernetes().await else {
        return;
    };
    let text = "$$(SECRET) $(SECRET) $HOME $$ 5$";
    let described = RunSpec {
        command: vec!["echo".into(), text.into()],
        ..spec("")
    };
    let (exit, output) = outcome(&fixture, described).await;
    assert_eq!(exit.reason, RunReason::Completed, "{}", exit.message);
    assert_eq!(output, format!("{text}\n"));
    let (exit, _) = outcome(&fixture, spec("exit 255")).await;
    assert_eq!(exit.message, "The workload ended with exit code 255.");
}

/// Adopts a workload as another worker, after the first one has vanished.
async fn adopt(other: &Fixture, request: &WorkloadRequest, log: &Log) -> Workload {
    within(other.executor.adopt(request, &log.sink))
        .await
        .expect("adopts")
        .expect("is there")
}

#[tokio::test]
async fn another_worker_adopts_a_workload_and_its_log() {
    let (Some(fixture), Some(other)) = (kubernetes().await, kubernetes().await) else {
        return;
    };
    let (mut request, _lease): (WorkloadRequest, Lease) =
        request(spec("echo one; sleep 5; echo two; exit 7"));
    let log = Log::with_notes(100);
    let mut workload = fixture
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
    request.epoch = Epoch(5);
    request.stored_log = StoredLog {
        end: 104,
        position: None,
    };
    let given = other.executor.given_secrets(&request.id).await;
    let given = given.expect("are read");
    assert_eq!(given[0].expose_secret(), "hunter22");
    let log = Log::new();
    let mut workload = adopt(&other, &request, &log).await;
    assert_superseded(&fixture, &mut request).await;
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
    let mut late = adopt(&fixture, &request, &Log::new()).await;
    let (ran, exit) = end(&mut late).await;
    assert!(ran);
    assert_eq!(exit.expect("ends").code, Some(7));
    remove(&fixture, &request).await;
}

/// Older leases can neither remove nor adopt a workload.
async fn assert_superseded(fixture: &Fixture, request: &mut WorkloadRequest) {
    let removed = fixture
        .executor
        .remove(&request.id, Some(Epoch(1)), Duration::ZERO)
        .await;
    assert_eq!(
        removed,
        Err(ExecutorError::Superseded),
        "an older lease cannot remove it"
    );
    request.epoch = Epoch(4);
    let error = fixture
        .executor
        .adopt(request, &Log::new().sink)
        .await
        .err();
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
    let Some(fixture) = kubernetes().await else {
        return;
    };
    let (request, _lease) = request(spec("true"));
    remove(&fixture, &request).await;
    outcome(&fixture, spec("true")).await;
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
        format!("ck8s.io/installation={}", common::installation()),
    ];
    let mut arguments = vec!["label", "secret", &name, "--namespace", "ck8s-worker-test"];
    arguments.extend(labels.iter().map(String::as_str));
    kubectl(&arguments);
    let found = fixture.executor.leftovers().await.expect("lists");
    assert!(found.contains(&request.id));
    remove(&fixture, &request).await;
    let found = fixture.executor.leftovers().await.expect("lists");
    assert!(!found.contains(&request.id));
}

#[tokio::test]
async fn another_installation_does_not_touch_a_workload() {
    let (Some(fixture), Some(other)) = (
        kubernetes().await,
        kubernetes_of(InstallationId::new()).await,
    ) else {
        return;
    };
    let (mut request, _lease) = request(spec("sleep 60"));
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    running(&mut workload).await;
    let before = pod_uids(&request);
    let leftovers = async |fixture: &Fixture| {
        let found = fixture.executor.leftovers().await.expect("lists");
        found.contains(&request.id)
    };
    assert!(leftovers(&fixture).await);
    assert!(
        !leftovers(&other).await,
        "it is not the other one's to sweep"
    );
    remove(&other, &request).await;
    request.epoch = Epoch(2);
    let adopted = other.executor.adopt(&request, &Log::new().sink).await;
    assert!(adopted.expect("asks").is_none());
    assert_eq!(pod_uids(&request), before);

    // An older program marked nothing. Only a lease says whose its workloads are.
    let selector = format!("ck8s.io/run-id={}", request.id.run_id);
    let unmark = "label jobs,pods,secrets -n ck8s-worker-test ck8s.io/installation- -l";
    let unmark: Vec<&str> = unmark.split(' ').chain([selector.as_str()]).collect();
    kubectl(&unmark);
    assert!(!leftovers(&fixture).await && !leftovers(&other).await);
    drop(workload);
    let newer = kubernetes().await.expect("a cluster");
    let mut workload = adopt(&newer, &request, &Log::new()).await;
    running(&mut workload).await;
    assert_eq!(pod_uids(&request), before);
    remove(&newer, &request).await;
    assert_eq!(pod_uids(&request), "");
}

#[tokio::test]
async fn what_isolates_a_namespace_is_made_again_before_the_next_start() {
    let Some(fixture) = kubernetes().await else {
        return;
    };
    let namespace = format!("ck8s-isolation-{}", std::process::id());
    let started = async || {
        let (mut request, _lease) = request(spec("true"));
        request.id.project = namespace.trim_start_matches("ck8s-").to_owned();
        let mut workload = fixture
            .executor
            .start(&request, &Log::new().sink)
            .await
            .expect("starts");
        let exit = end(&mut workload).await.1.expect("ends");
        assert_eq!(exit.reason, RunReason::Completed, "{}", exit.message);
        remove(&fixture, &request).await;
    };
    started().await;
    let parts =
        "networkpolicy/ck8s-default,resourcequota/ck8s,limitrange/ck8s,serviceaccount/ck8s-run";
    let parts: Vec<&str> = parts.split(',').collect();
    let in_namespace =
        |verb: &[&str], parts: &[&str]| kubectl(&[verb, &["-n", &namespace], parts].concat());
    let open = r#"{"spec":{"egress":[{}]}}"#;
    kubectl(&[
        "patch",
        "networkpolicy",
        "ck8s-default",
        "-n",
        &namespace,
        "--type=merge",
        "-p",
        open,
    ]);
    started().await;
    let egress = [
        "networkpolicy/ck8s-default",
        "-o",
        "jsonpath={.spec.egress}",
    ];
    assert!(
        in_namespace(&["get"], &egress).contains("53"),
        "an open policy is closed"
    );
    in_namespace(&["delete"], &parts);
    started().await;
    in_namespace(&["get", "-o", "name"], &parts);
    kubectl(&["delete", "namespace", &namespace, "--wait=false"]);
}
