//! Runs on a real cluster: pods are isolated, outlive their worker, and are gone when their run is canceled.
//! The tests run where `CK8S_TEST_KUBECONFIG` names a cluster whose node has the image `ck8s.test/busybox:1`.
use std::time::{Duration, Instant};

use crate::repositories;
use ck8s_proto::runs::v1::{RunReason, RunSpec, RunState};
use ck8s_tests::{Node, Setup, Webhook, World, labeled, until};
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Namespace, Pod},
};
use kube::{Api, Client, Config, api::ListParams, config::Kubeconfig};

pub(crate) const IMAGE: &str = "ck8s.test/busybox:1";

/// A cluster. The namespaces belong to this test alone and are removed with it.
pub(crate) struct Cluster {
    client: Client,
    pub(crate) kubeconfig: String,
    prefix: String,
}

impl Cluster {
    pub(crate) async fn from_env() -> Option<Self> {
        let Ok(kubeconfig) = std::env::var("CK8S_TEST_KUBECONFIG") else {
            println!("SKIPPED: CK8S_TEST_KUBECONFIG names no cluster");
            return None;
        };
        // Another test of this process may have installed it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = Kubeconfig::read_from(&kubeconfig).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(config, &Default::default())
            .await
            .expect("a kubeconfig");
        let client = Client::try_from(config).expect("a client");
        let prefix = format!("t{}-", &ck8s_tests::new_id()[30..]);
        Some(Self {
            client,
            kubeconfig,
            prefix,
        })
    }

    pub(crate) fn namespace(&self) -> String {
        format!("{}acme", self.prefix)
    }

    fn args(&self) -> [&str; 6] {
        self.args_with(&self.kubeconfig)
    }

    /// The executor's arguments, with another way to the cluster.
    pub(crate) fn args_with<'a>(&'a self, kubeconfig: &'a str) -> [&'a str; 6] {
        [
            "--executor",
            "kubernetes",
            "--kubeconfig",
            kubeconfig,
            "--namespace-prefix",
            &self.prefix,
        ]
    }

    async fn world(&self, worker: bool) -> World {
        let setup = if worker {
            Setup::with_worker(4)
        } else {
            Setup::without_worker()
        };
        self.world_of(setup).await
    }

    pub(crate) async fn world_of(&self, setup: Setup) -> World {
        let mut setup = setup.short_leases();
        for arg in self.args() {
            setup = setup.arg(arg);
        }
        let world = World::start(setup).await;
        world.admin.project("acme", 4).await;
        world
    }

    async fn worker(&self, world: &World, id: &str) -> Node {
        world.worker(id, &world.ready.url, &self.args()).await
    }

    pub(crate) async fn pods(&self, run: &str) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace());
        pods.list(&ListParams::default().labels(&format!("ck8s.io/run-id={run}")))
            .await
            .expect("pods")
            .items
    }

    async fn jobs(&self, run: &str) -> usize {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &self.namespace());
        jobs.list(&ListParams::default().labels(&format!("ck8s.io/run-id={run}")))
            .await
            .expect("jobs")
            .items
            .len()
    }

    pub(crate) async fn remove(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for name in [self.namespace(), format!("{}demo", self.prefix)] {
            let _ = namespaces.delete(&name, &Default::default()).await;
        }
    }
}

pub(crate) fn pod(script: &str) -> RunSpec {
    RunSpec {
        image: IMAGE.to_owned(),
        cpu: "50m".to_owned(),
        memory: "32Mi".to_owned(),
        ..ck8s_tests::script(script)
    }
}

/// Follows a log until it holds this text.
async fn until_logged(world: &World, run: &str, text: &str) -> String {
    until(&format!("{text:?} in the log"), async || {
        Some(world.admin.log(run).await).filter(|log| log.contains(text))
    })
    .await
}

const PROBE: &str = r#"
echo "uid $(id -u) gid $(id -g)"
if touch /probe 2>/dev/null; then echo "root is writable"; else echo "root is read-only"; fi
if [ -e /var/run/secrets/kubernetes.io ]; then echo "a token is mounted"; else echo "no token is mounted"; fi
grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
echo work > file && cat file
echo "event $CK8S_EVENT"
sleep 3
echo last
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_becomes_an_isolated_pod() {
    let Some(cluster) = Cluster::from_env().await else {
        return;
    };
    let world = cluster.world(true).await;
    let services = format!(
        "version: 1\ndefaults: {{ image: \"{IMAGE}\", resources: {{ cpu: 50m, memory: 32Mi }} }}\ntriggers:\n  - name: label\n    on: {{ event: issues, actions: [labeled], labels: [\"run:dev\"] }}\n    run:\n      command: |\n{}",
        PROBE
            .trim()
            .lines()
            .map(|l| format!("        {l}\n"))
            .collect::<String>()
    );
    let (_, secret) = world
        .admin
        .repository("acme", "acme/app", 77, &services)
        .await;
    let webhook = Webhook::new(
        "issues",
        labeled(77, "acme/app", 1, "run:dev")
            .to_string()
            .into_bytes(),
        &secret,
    );
    let start = Instant::now();
    assert_eq!(webhook.send_to(&world.ready.url).await.unwrap().status, 202);
    let run = until("the run exists", async || {
        world.admin.all_runs("").await.pop()
    })
    .await;
    world.admin.wait_running(&run.id).await;
    println!("from the webhook to a running pod: {:?}", start.elapsed());

    let log = until_logged(&world, &run.id, "event issues\n").await;
    let current = world.admin.run(&run.id).await;
    assert_eq!(
        current.state(),
        RunState::Running,
        "the log arrived while the run was running"
    );
    assert!(!log.contains("last"));
    let pods = cluster.pods(&run.id).await;
    assert_eq!(pods.len(), 1);
    let spec = pods[0].spec.as_ref().unwrap();
    let security = spec.security_context.as_ref().unwrap();
    assert_eq!(security.run_as_non_root, Some(true));
    assert_eq!(spec.automount_service_account_token, Some(false));
    let container = spec.containers[0].security_context.as_ref().unwrap();
    assert_eq!(container.read_only_root_filesystem, Some(true));
    assert_eq!(container.allow_privilege_escalation, Some(false));
    assert_eq!(
        container.capabilities.as_ref().unwrap().drop.as_deref(),
        Some(&["ALL".to_owned()][..])
    );
    for volume in spec.volumes.iter().flatten() {
        assert!(volume.empty_dir.is_some(), "{volume:?}");
    }
    assert!(spec.host_network.is_none_or(|h| !h) && spec.host_pid.is_none_or(|h| !h));

    let ended = world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!(ended.exit_code, Some(0));
    let log = world.admin.log(&run.id).await;
    println!("{log}");
    for line in [
        "uid 65532 gid 65532",
        "root is read-only",
        "no token is mounted",
        "CapEff:\t0000000000000000",
        "NoNewPrivs:\t1",
        "work",
        "last",
    ] {
        assert!(log.lines().any(|l| l == line), "{line:?} is missing");
    }

    let failing = world.admin.start("acme", pod("echo going; exit 3")).await;
    let failed = world
        .admin
        .ends(&failing.id, RunState::Failed, RunReason::AgentError)
        .await;
    assert_eq!(
        (
            failed.exit_code,
            world.admin.output(&failing.id).await.as_str()
        ),
        (Some(3), "going\n")
    );
    world.idle().await;
    until("nothing of the run is left in the cluster", async || {
        cluster.pods(&run.id).await.is_empty().then_some(())
    })
    .await;
    drop(world);
    cluster.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_outlives_its_worker_and_is_adopted() {
    let Some(cluster) = Cluster::from_env().await else {
        return;
    };
    let world = cluster.world(false).await;
    let mut first = cluster.worker(&world, "k-1").await;
    let run = world
        .admin
        .start(
            "acme",
            pod("for i in $(seq 1 20); do echo line $i; sleep 0.4; done"),
        )
        .await;
    until_logged(&world, &run.id, "line 3\n").await;
    let before = world.admin.run(&run.id).await;
    let pods = cluster.pods(&run.id).await;
    let uid = pods[0].metadata.uid.clone();
    first.program.kill();
    let _second = cluster.worker(&world, "k-2").await;
    let adopted = world
        .admin
        .wait(&run.id, "the run is adopted", |r| r.worker_id == "k-2")
        .await;
    assert_eq!(
        (adopted.state(), adopted.attempt, &adopted.workload),
        (RunState::Running, 1, &before.workload)
    );
    let pods = cluster.pods(&run.id).await;
    assert_eq!(
        (pods.len(), &pods[0].metadata.uid),
        (1, &uid),
        "the pod is still the same"
    );
    assert_eq!(cluster.jobs(&run.id).await, 1);
    let ended = world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!(ended.attempt, 1);
    let expected: String = (1..=20).map(|i| format!("line {i}\n")).collect();
    assert_eq!(
        world.admin.output(&run.id).await,
        expected,
        "no line is missing and none is repeated"
    );
    let kinds = world.admin.kinds(&run.id).await;
    for kind in [
        "run.running",
        "run.taken_over",
        "run.adopted",
        "run.finished",
    ] {
        assert_eq!(
            kinds.iter().filter(|k| *k == kind).count(),
            1,
            "{kind}: {kinds:?}"
        );
    }
    world.idle().await;
    drop(world);
    cluster.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_pod_is_gone_within_seconds() {
    let Some(cluster) = Cluster::from_env().await else {
        return;
    };
    let world = cluster.world(true).await;
    // The shell is the first process of its container, so SIGTERM does not end it.
    let run = world
        .admin
        .start("acme", pod("echo begun; while true; do sleep 1; done"))
        .await;
    until_logged(&world, &run.id, "begun").await;
    let start = Instant::now();
    let canceled = world.admin.cancel(&run.id).await.unwrap();
    assert_eq!(
        (canceled.state(), canceled.reason()),
        (RunState::Canceled, RunReason::CanceledByUser)
    );
    until("the pod is gone", async || {
        cluster.pods(&run.id).await.is_empty().then_some(())
    })
    .await;
    let duration = start.elapsed();
    println!(
        "canceled: the pod is gone after {:.1} s",
        duration.as_secs_f64()
    );
    assert!(duration < Duration::from_secs(5), "{duration:?}");
    world.idle().await;
    assert_eq!(cluster.jobs(&run.id).await, 0);
    drop(world);
    cluster.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_of_a_run_follows_from_what_the_cluster_says() {
    let Some(cluster) = Cluster::from_env().await else {
        return;
    };
    let world = cluster.world(true).await;
    let image = RunSpec {
        image: "ck8s.test/there-is-no-such-image:1".to_owned(),
        pending_timeout_seconds: 15,
        ..pod("true")
    };
    let image = world.admin.start("acme", image).await;
    let memory = RunSpec {
        memory: "16Mi".to_owned(),
        ..pod("a=0123456789abcdef; while true; do a=$a$a; done")
    };
    let memory = world.admin.start("acme", memory).await;
    let missing = RunSpec {
        command: vec!["/no/such/program".to_owned()],
        ..pod("")
    };
    let missing = world.admin.start("acme", missing).await;

    let ended = world.admin.wait_end(&image.id).await;
    println!("{}", ended.message);
    assert_eq!(
        (ended.state(), ended.reason()),
        (RunState::Failed, RunReason::ImagePull),
        "{ended:?}"
    );
    let ended = world.admin.wait_end(&memory.id).await;
    println!("{}", ended.message);
    assert_eq!(
        (ended.state(), ended.reason()),
        (RunState::Failed, RunReason::OomKilled),
        "{ended:?}"
    );
    let ended = world.admin.wait_end(&missing.id).await;
    println!("{}", ended.message);
    assert_eq!(
        (ended.state(), ended.reason()),
        (RunState::Failed, RunReason::ConfigError),
        "{ended:?}"
    );
    world.idle().await;
    drop(world);
    cluster.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_and_no_pod_contains_a_secret() {
    let Some(cluster) = Cluster::from_env().await else {
        return;
    };
    let services = format!(
        "version: 1\ntriggers:\n  - name: label\n    on: {{ event: issues, labels: [\"run:dev\"] }}\n    run: {{ image: \"{IMAGE}\", \
         resources: {{ cpu: 50m, memory: 32Mi }}, secrets: [NPM_TOKEN], command: 'echo ${{NPM_TOKEN:+known}}; sleep 2' }}\n"
    );
    let (github, token) = repositories::github(&services).await;
    let world = cluster
        .world_of(Setup::with_worker(2).github(&github))
        .await;
    repositories::add(&world, "acme", "acme/one", &token).await;
    let value = "a-value-that-only-the-run-has";
    world.admin.set_secret("acme/one", "NPM_TOKEN", value).await;
    let issue = repositories::issue(501, "acme/one");
    assert_eq!(github.emit(501, "issues", &issue).await, [202]);
    let run = until("the run exists", async || {
        world.admin.all_runs("").await.pop()
    })
    .await;
    until_logged(&world, &run.id, "known").await;

    let mut objects = String::new();
    let jobs: Api<Job> = Api::namespaced(cluster.client.clone(), &cluster.namespace());
    for job in jobs.list(&ListParams::default()).await.unwrap() {
        objects.push_str(&serde_json::to_string(&job).unwrap());
    }
    for pod in cluster.pods(&run.id).await {
        objects.push_str(&serde_json::to_string(&pod).unwrap());
    }
    assert!(objects.contains("NPM_TOKEN"), "{objects}");
    let hook = repositories::secret(&github, 501);
    for secret in [token.as_str(), hook.as_str(), value] {
        assert!(!objects.contains(secret), "{objects}");
        world.nowhere(&[("a secret", secret)]).await;
    }
    cluster.remove().await;
}

/// How long the installations work side by side; `CK8S_TEST_SECONDS` says otherwise.
const SIDE_BY_SIDE: Duration = Duration::from_secs(600);
/// Runs of each installation at the same time.
const SIDE_BY_SIDE_RUNS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes: `just kubernetes-installations`"]
async fn two_installations_under_load_leave_each_other_alone() {
    let Some(cluster) = Cluster::from_env().await else {
        return;
    };
    let seconds = std::env::var("CK8S_TEST_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok());
    let end = Instant::now() + seconds.map_or(SIDE_BY_SIDE, Duration::from_secs);
    let one = cluster.world(true).await;
    let (mut runs, mut databases) = (0, 0);
    while Instant::now() < end {
        // Again and again an installation whose database is empty: it sweeps as soon as its worker is connected.
        let other = cluster.world(true).await;
        databases += 1;
        let until = end.min(Instant::now() + Duration::from_secs(60));
        let (ours, theirs) = tokio::join!(
            work_until(&one, "ours", until),
            work_until(&other, "theirs", until)
        );
        runs += ours + theirs;
        other.idle().await;
    }
    println!("{runs} runs of an installation and of {databases} others with empty databases");
    drop(one);
    cluster.remove().await;
}

/// Keeps runs going until this moment. Each must succeed at its first attempt, with its whole log. Returns how many.
async fn work_until(world: &World, word: &str, until: Instant) -> usize {
    let script = format!("for i in 1 2 3 4 5 6; do echo {word} $i; sleep 0.5; done; sleep 1");
    let lane = async || {
        let mut count = 0;
        while Instant::now() < until {
            let run = world.admin.start("acme", pod(&script)).await;
            let ended = world
                .admin
                .ends(&run.id, RunState::Succeeded, RunReason::Completed)
                .await;
            assert_eq!(ended.attempt, 1, "{ended:?}");
            let expected: String = (1..=6).map(|i| format!("{word} {i}\n")).collect();
            assert_eq!(world.admin.output(&run.id).await, expected);
            count += 1;
        }
        count
    };
    let lanes = (0..SIDE_BY_SIDE_RUNS).map(|_| lane());
    futures::future::join_all(lanes).await.iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_whose_secret_was_removed_is_adopted_and_its_log_stays_masked() {
    let Some(cluster) = Cluster::from_env().await else {
        return;
    };
    let services = format!(
        "version: 1\ntriggers:\n  - name: label\n    on: {{ event: issues, labels: [\"run:dev\"] }}\n    run: {{ image: \"{IMAGE}\", \
         resources: {{ cpu: 50m, memory: 32Mi }}, secrets: [NPM_TOKEN], \
         command: 'for i in $(seq 1 20); do echo line $i $NPM_TOKEN; sleep 0.4; done; sleep 1' }}\n"
    );
    let (github, token) = repositories::github(&services).await;
    let setup = Setup::without_worker().github(&github);
    let world = cluster.world_of(setup).await;
    let mut first = cluster.worker(&world, "k-1").await;
    repositories::add(&world, "acme", "acme/one", &token).await;
    let value = "a-value-that-is-removed-meanwhile";
    world.admin.set_secret("acme/one", "NPM_TOKEN", value).await;
    let issue = repositories::issue(501, "acme/one");
    assert_eq!(github.emit(501, "issues", &issue).await, [202]);
    let run = until("the run exists", async || {
        world.admin.all_runs("").await.pop()
    })
    .await;
    until_logged(&world, &run.id, "line 3 ").await;
    // An empty value removes it.
    world.admin.set_secret("acme/one", "NPM_TOKEN", "").await;
    first.program.kill();
    let _second = cluster.worker(&world, "k-2").await;
    let ended = world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!((ended.attempt, ended.worker_id.as_str()), (1, "k-2"));
    let expected: String = (1..=20).map(|i| format!("line {i} ***\n")).collect();
    assert_eq!(world.admin.output(&run.id).await, expected);
    world.nowhere(&[("the removed secret", value)]).await;
    drop(world);
    cluster.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_in_one_cluster_leave_each_other_alone() {
    let Some(cluster) = Cluster::from_env().await else {
        return;
    };
    let one = cluster.world(true).await;
    let steady = pod("i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; sleep 0.3; done");
    let steady = one.admin.start("acme", steady).await;
    until_logged(&one, &steady.id, "line 2\n").await;
    // The same prefix, the same project, an empty database: it sweeps as soon as its worker is connected.
    let other = cluster.world(true).await;
    for _ in 0..3 {
        let run = other.admin.start("acme", pod("echo theirs")).await;
        other
            .admin
            .ends(&run.id, RunState::Succeeded, RunReason::Completed)
            .await;
        let run = one.admin.start("acme", pod("echo ours")).await;
        one.admin
            .ends(&run.id, RunState::Succeeded, RunReason::Completed)
            .await;
    }
    other.idle().await;
    drop(other);
    let ended = one
        .admin
        .ends(&steady.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!(ended.attempt, 1);
    let expected: String = (1..=40).map(|i| format!("line {i}\n")).collect();
    assert_eq!(one.admin.output(&steady.id).await, expected);
    drop(one);
    cluster.remove().await;
}
