//! How a run can end on Kubernetes: the table in docs/reliability.md is what this test sees on a real cluster.
use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use ck8s_proto::runs::v1::{Run, RunSpec};
use ck8s_tests::{Setup, World, ended, until};
use futures::future::join_all;

use crate::kubernetes::{Cluster, IMAGE, pod};

/// Bounds the wait for a run's end. Many cases run at the same time on one node.
const END_TIMEOUT: Duration = Duration::from_secs(200);
/// How many runs are under way at the same time.
const SLOTS: u32 = 20;

/// What somebody does to the pod.
#[derive(Clone, Copy)]
enum Deed {
    Nothing,
    Delete,
    DeleteByForce,
    /// As a drain does.
    Evict,
    /// A pod of a higher priority needs its place. The case must be alone on the node.
    Preempt,
}

/// A way to end.
struct Case {
    what: &'static str,
    /// What the workload does on SIGTERM; empty: it does not matter.
    on_sigterm: &'static str,
    spec: RunSpec,
    deed: Deed,
}

/// More than half of the node's two cores, so that one pod of them has no place beside another.
const WHOLE_NODE_CPU: &str = "1300m";
/// A pod of a higher priority.
const PREEMPTING: &str = r#"
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: ck8s-test-preempting}
value: 1000000
---
apiVersion: v1
kind: Pod
metadata: {name: ck8s-test-preempting}
spec:
  priorityClassName: ck8s-test-preempting
  terminationGracePeriodSeconds: 0
  containers:
    - {name: rival, image: "IMAGE", imagePullPolicy: Never, command: [sleep, "300"], resources: {requests: {cpu: CPU}}}
"#;

const LEAVES: &str = "trap 'exit 0' TERM; echo begin; while :; do sleep 0.2; done";
const IS_ENDED: &str = "echo begin; exec sleep 300";
const IGNORES: &str = "trap '' TERM; echo begin; while :; do sleep 0.2; done";

fn script(text: &str) -> RunSpec {
    // A second attempt ends well at once.
    RunSpec {
        cpu: "10m".to_owned(),
        ..pod(&format!("[ \"$CK8S_ATTEMPT\" = 1 ] || exit 0; {text}"))
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, deed) in [
        ("the pod is deleted", Deed::Delete),
        ("the pod is deleted by force", Deed::DeleteByForce),
        ("the pod is evicted (drain)", Deed::Evict),
        ("its running timeout is over", Deed::Nothing),
    ] {
        for (on_sigterm, text) in [
            ("leaves with 0", LEAVES),
            ("is ended by it", IS_ENDED),
            ("ignores it", IGNORES),
        ] {
            let mut spec = script(text);
            if matches!(deed, Deed::Nothing) {
                spec.running_timeout_seconds = 2;
            }
            cases.push(Case {
                what,
                on_sigterm,
                spec,
                deed,
            });
        }
    }
    let small = |text| RunSpec {
        memory: "24Mi".to_owned(),
        ..script(text)
    };
    let starting = |change: fn(&mut RunSpec)| {
        let mut spec = script("echo begin");
        change(&mut spec);
        spec
    };
    let waiting = |change: fn(&mut RunSpec)| RunSpec {
        pending_timeout_seconds: 15,
        ..starting(change)
    };
    let by_itself = [
        ("it exits with 3", script("echo begin; exit 3")),
        (
            "it is killed for its memory",
            small("echo begin; exec tail /dev/zero"),
        ),
        (
            "a process of it is killed for its memory, and it exits with 0",
            small("echo begin; (tail /dev/zero) 2>/dev/null; sleep 0.5; exit 0"),
        ),
        (
            "there is no such program",
            starting(|s| s.command = vec!["/no/such".to_owned()]),
        ),
        (
            "there is no such image",
            starting(|s| s.image = "ck8s.test/none:1".to_owned()),
        ),
        (
            "no sandbox can be made",
            waiting(|s| s.memory = "2Mi".to_owned()),
        ),
        ("no node has room", waiting(|s| s.cpu = "100".to_owned())),
        (
            "the quota can never allow it",
            starting(|s| s.cpu = "1000".to_owned()),
        ),
    ];
    cases.extend(by_itself.map(|(what, spec)| Case {
        what,
        on_sigterm: "",
        spec,
        deed: Deed::Nothing,
    }));
    cases
}

/// The case of a pod that a more important one drives away.
fn preempted() -> Case {
    Case {
        what: "the pod is preempted",
        on_sigterm: "is ended by it",
        spec: RunSpec {
            cpu: WHOLE_NODE_CPU.to_owned(),
            ..script(IS_ENDED)
        },
        deed: Deed::Preempt,
    }
}

fn kubectl(cluster: &Cluster, arguments: &[&str], input: &str) {
    let mut child = Command::new("kubectl")
        .args([
            "--kubeconfig",
            &cluster.kubeconfig,
            "--namespace",
            &cluster.namespace(),
        ])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("kubectl runs");
    let mut stdin = child.stdin.take().expect("an input");
    stdin.write_all(input.as_bytes()).expect("is written");
    drop(stdin);
    assert!(child.wait().expect("ends").success(), "{arguments:?}");
}

async fn until_begun(world: &World, run: &str) {
    let started = Instant::now();
    while world.admin.output(run).await != "begin\n" {
        assert!(started.elapsed() < END_TIMEOUT, "run {run} does not begin");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Does it to the pod of a run that is under way.
async fn act(cluster: &Cluster, world: &World, run: &Run, deed: Deed) {
    if matches!(deed, Deed::Nothing) {
        return;
    }
    until_begun(world, &run.id).await;
    let pods = cluster.pods(&run.id).await;
    let name = pods[0].metadata.name.clone().expect("a name");
    match deed {
        Deed::Nothing => {}
        Deed::Delete => kubectl(cluster, &["delete", "pod", &name, "--wait=false"], ""),
        Deed::DeleteByForce => {
            let force = ["delete", "pod", &name, "--force", "--grace-period=0"];
            kubectl(cluster, &force, "");
        }
        Deed::Evict => {
            let namespace = cluster.namespace();
            let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction");
            let eviction = format!(
                r#"{{"apiVersion":"policy/v1beta1","kind":"Eviction","metadata":{{"name":"{name}","namespace":"{namespace}"}}}}"#
            );
            kubectl(cluster, &["create", "--raw", &path, "-f", "-"], &eviction);
        }
        Deed::Preempt => preempt(cluster, world, &run.id).await,
    }
}

/// Lets a pod of a higher priority take the place of the run's pod, and then go.
async fn preempt(cluster: &Cluster, world: &World, run: &str) {
    let rival = PREEMPTING
        .replace("IMAGE", IMAGE)
        .replace("CPU", WHOLE_NODE_CPU);
    kubectl(
        cluster,
        &["apply", "--namespace=default", "-f", "-"],
        &rival,
    );
    let started = Instant::now();
    while world.admin.run(run).await.attempt == 1 && !ended(&world.admin.run(run).await) {
        assert!(
            started.elapsed() < END_TIMEOUT,
            "run {run} is not preempted"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let delete = [
        "delete",
        "pod",
        "ck8s-test-preempting",
        "--namespace=default",
        "--now",
    ];
    kubectl(cluster, &delete, "");
}

async fn end(cluster: &Cluster, world: &World, case: &Case, max_attempts: i32) -> Run {
    let spec = RunSpec {
        max_attempts,
        ..case.spec.clone()
    };
    let run = world.admin.start("acme", spec).await;
    act(cluster, world, &run, case.deed).await;
    let started = Instant::now();
    loop {
        let run = world.admin.run(&run.id).await;
        if ended(&run) {
            return run;
        }
        assert!(started.elapsed() < END_TIMEOUT, "{}: {run:?}", case.what);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns the row of a case.
async fn row(cluster: &Cluster, world: &World, case: &Case) -> String {
    let (last, first) = match case.deed {
        Deed::Preempt => {
            let last = end(cluster, world, case, 1).await;
            (last, end(cluster, world, case, 2).await)
        }
        _ => tokio::join!(end(cluster, world, case, 1), end(cluster, world, case, 2)),
    };
    let word = |text: &str, prefix: &str| text.trim_start_matches(prefix).to_lowercase();
    let state = word(last.state().as_str_name(), "RUN_STATE_");
    let reason = word(last.reason().as_str_name(), "RUN_REASON_");
    let next = if first.attempt == 2 { "yes" } else { "no" };
    let output = world.admin.output(&last.id).await;
    let kinds = world.admin.kinds(&last.id).await;
    let incomplete = kinds.iter().any(|kind| kind == "run.log_incomplete");
    let log = match case.deed {
        // The log goes with the pod: whether it was read to its end is up to chance.
        Deed::Delete | Deed::DeleteByForce | Deed::Evict | Deed::Preempt => {
            "whole, or says that its end may be missing"
        }
        _ if incomplete => "says that its end may be missing",
        _ if output.starts_with("begin\n") => "whole",
        _ => "none",
    };
    let Case {
        what, on_sigterm, ..
    } = case;
    format!("| {what} | {on_sigterm} | `{state}` | `{reason}` | {next} | {log} |")
        .replace("|  |", "| |")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes two minutes of a whole cluster: just kubernetes-ends"]
async fn a_run_ends_on_kubernetes_as_the_table_says() {
    let Some(cluster) = Cluster::from_env().await else {
        return;
    };
    let world = cluster.world_of(Setup::with_worker(SLOTS)).await;
    world.admin.set_slots("acme", 20).await;
    let cases = cases();
    let mut rows = join_all(cases.iter().map(|case| row(&cluster, &world, case))).await;
    rows.push(row(&cluster, &world, &preempted()).await);
    let table = rows.join("\n");
    println!("{table}");
    let docs = include_str!("../../docs/reliability.md");
    for row in &rows {
        assert!(
            docs.contains(row),
            "docs/reliability.md lacks {row}; the table is\n{table}"
        );
    }
    until("nothing is left", async || {
        let slots = world.admin.slots("acme").await;
        slots
            .iter()
            .all(|slot| slot.run_id.is_empty())
            .then_some(())
    })
    .await;
    drop(world);
    cluster.remove().await;
}
