//! The release before, as a program of its own, and this one on one data directory: up with live runs, and back; and
//! side by side. `just upgrade` builds that release and runs these tests.
use std::{
    path::{Path, PathBuf},
    process::Output,
};

use ck8s_proto::{
    ingress::v1::{Delivery, DeliveryState},
    runs::v1::{Run, RunReason, RunSpec, RunState},
};
use ck8s_tests::{Api, Setup, Webhook, World, program::binary, script, until};
use tokio::process::Command;

use crate::reporting::push;

/// Every trigger of the file that matches makes a run; with the release before, the first alone.
const SERVICES: &str = "version: 1
triggers:
  - name: build
    on: { event: push }
    run: { command: 'test \"$TOKEN\" = open-sesame', secrets: [TOKEN] }
  - name: lint
    on: { event: push }
    run: { command: 'true' }
";

/// The program of the release before.
fn release() -> PathBuf {
    std::env::var_os("CK8S_TEST_RELEASE_BIN")
        .expect("CK8S_TEST_RELEASE_BIN names the program of the release before: run `just upgrade`")
        .into()
}

/// Returns the webhook's delivery, once it is handled.
async fn handled(api: &Api, webhook: &Webhook) -> Delivery {
    until("the delivery is handled", async || {
        let mut all = api.all_deliveries().await.into_iter();
        let delivery = all.find(|delivery| delivery.delivery_id == webhook.delivery())?;
        (delivery.state() == DeliveryState::RunCreated).then_some(delivery)
    })
    .await
}

/// Returns a delivery's runs: the release before names the first alone.
fn runs_of(delivery: &Delivery) -> Vec<&str> {
    let first = [delivery.run_id.as_str()].into_iter();
    let more = delivery.run_ids.iter().skip(1);
    first.chain(more.map(String::as_str)).collect()
}

/// Both programs on a data directory.
struct Stage {
    world: World,
    webhook_secret: String,
    /// Workloads that wait end when the file exists.
    go: PathBuf,
}

/// Runs that are left when a program is stopped.
struct Live {
    /// Runs, and may be started again.
    retried: Run,
    /// Runs, and may not.
    only_once: Run,
    /// Waits for a slot.
    pending: Run,
}

impl Stage {
    async fn start(first: &Path) -> Self {
        let setup = Setup::with_worker(4).short_leases().of_build(first);
        let world = World::start(setup).await;
        world.admin.project("shop", 2).await;
        let added = world.admin.repository("shop", "acme/one", 501, SERVICES);
        let (repository, webhook_secret) = added.await;
        let secret = world
            .admin
            .set_secret(&repository.id, "TOKEN", "open-sesame");
        secret.await;
        let go = world.dir.path().join("go");
        Self {
            world,
            webhook_secret,
            go,
        }
    }

    /// Returns a workload that prints its attempt and waits for `go`.
    fn waiting(&self, max_attempts: i32) -> RunSpec {
        let go = self.go.display();
        let text = format!("echo attempt $CK8S_ATTEMPT; while [ ! -e {go} ]; do sleep 0.05; done");
        RunSpec {
            max_attempts,
            ..script(&text)
        }
    }

    /// Sends a push whose runs succeed, and returns its delivery.
    async fn push(&self, sha: &str) -> Delivery {
        let body = push(sha).to_string().into_bytes();
        let webhook = Webhook::new("push", body, &self.webhook_secret);
        let answer = webhook.send_to(&self.world.ready.url).await;
        assert_eq!(answer.expect("an answer").status, 202);
        let delivery = handled(&self.world.admin, &webhook).await;
        for run in runs_of(&delivery) {
            self.succeeds(run).await;
        }
        delivery
    }

    async fn succeeds(&self, run: &str) -> Run {
        let api = &self.world.admin;
        api.ends(run, RunState::Succeeded, RunReason::Completed)
            .await
    }

    /// Leaves runs behind: two that run and one that waits.
    async fn leave(&self) -> Live {
        let _ = std::fs::remove_file(&self.go);
        let api = &self.world.admin;
        let retried = api.start("shop", self.waiting(3)).await;
        let only_once = api.start("shop", self.waiting(1)).await;
        for run in [&retried, &only_once] {
            api.wait_running(&run.id).await;
            until("it has printed", async || {
                api.output(&run.id)
                    .await
                    .contains("attempt 1")
                    .then_some(())
            })
            .await;
        }
        let pending = api.start("shop", self.waiting(3)).await;
        assert_eq!(api.run(&pending.id).await.state(), RunState::Pending);
        Live {
            retried,
            only_once,
            pending,
        }
    }

    /// Checks that the runs which were left end as docs/deploy.md says.
    async fn assert_they_end(&self, live: &Live, stop: Stop) {
        std::fs::write(&self.go, "").expect("a file");
        let api = &self.world.admin;
        let reason = match stop {
            Stop::Told => RunReason::WorkloadLost,
            Stop::Killed => RunReason::WorkerLost,
        };
        api.ends(&live.only_once.id, RunState::Failed, reason).await;
        let retried = self.succeeds(&live.retried.id).await;
        assert_eq!(retried.attempt, 2);
        let pending = self.succeeds(&live.pending.id).await;
        assert_eq!(pending.attempt, 1);
        self.world.idle().await;
    }

    /// Returns what a person sees of a delivery that was handled.
    async fn see(&self, delivery: &Delivery) -> Seen {
        let api = &self.world.admin;
        let run = api.run(&delivery.run_id).await;
        let deliveries = api.all_deliveries().await;
        Seen {
            state: run.state(),
            message: run.message.clone(),
            trigger: run
                .trigger
                .map(|trigger| (trigger.name, trigger.commit_sha)),
            events: api.kinds(&run.id).await,
            log: api.log(&run.id).await,
            is_listed: deliveries.iter().any(|d| d.id == delivery.id),
        }
    }

    /// Takes the schema back to the release's, as docs/deploy.md says.
    async fn migrate_down(&mut self, stop: Stop) {
        let url = self.world.ready.database_url.clone();
        // The release takes no newer schema for its own, so `up` would not start.
        let up = command(&release(), &["migrate", "up", "--database-url", &url]).await;
        assert!(!up.status.success());
        let status = run(&release(), &["migrate", "status", "--database-url", &url]).await;
        let newer = status.lines().filter(|line| line.starts_with("unknown"));
        let newer = newer.count();
        assert_ne!(newer, 0, "{status}");
        self.stop(stop).await;
        let data = self.world.dir.path().join("data");
        let data = data.to_str().expect("a plain path");
        let steps = newer.to_string();
        let reverted = run(&binary(), &["migrate", "down", &steps, "--data-dir", data]).await;
        assert_eq!(reverted.lines().count(), newer, "{reverted}");
    }

    async fn stop(&mut self, stop: Stop) {
        let program = &mut self.world.server.program;
        match stop {
            Stop::Told => assert!(program.terminate().await.success()),
            Stop::Killed => program.kill(),
        }
    }

    async fn start_as(&mut self, binary: &Path) {
        self.world.server.binary = binary.to_owned();
        self.world.restart().await;
    }
}

/// How a program is stopped.
#[derive(Clone, Copy)]
enum Stop {
    Told,
    Killed,
}

async fn command(binary: &Path, args: &[&str]) -> Output {
    let output = Command::new(binary).args(args).env_clear().output().await;
    output.expect("it runs")
}

/// Runs a command of a build of the program, and returns what it prints.
async fn run(binary: &Path, args: &[&str]) -> String {
    let output = command(binary, args).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// What a person sees of a delivery's run.
#[derive(PartialEq, Debug)]
struct Seen {
    state: RunState,
    message: String,
    trigger: Option<(String, String)>,
    events: Vec<String>,
    log: String,
    is_listed: bool,
}

/// From the release to this program and back, with live runs each time.
async fn up_and_back(stop: Stop) {
    let mut stage = Stage::start(&release()).await;
    let first = stage.push(&"1".repeat(40)).await;
    let seen_first = stage.see(&first).await;
    let live = stage.leave().await;

    stage.stop(stop).await;
    stage.start_as(&binary()).await;
    stage.assert_they_end(&live, stop).await;
    assert_eq!(stage.see(&first).await, seen_first);
    let second = stage.push(&"2".repeat(40)).await;
    assert_eq!(second.run_ids.len(), 2);
    let seen_second = stage.see(&second).await;
    let live = stage.leave().await;

    stage.migrate_down(stop).await;
    stage.start_as(&release()).await;
    stage.assert_they_end(&live, stop).await;
    assert_eq!(stage.see(&first).await, seen_first);
    assert_eq!(stage.see(&second).await, seen_second);
    stage.push(&"3".repeat(40)).await;

    stage.stop(stop).await;
    stage.start_as(&binary()).await;
    assert_eq!(stage.see(&second).await, seen_second);
    let last = stage.push(&"4".repeat(40)).await;
    assert_eq!(last.run_ids.len(), 2);
    // The embedded database ends with it.
    stage.stop(Stop::Told).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`just upgrade` builds the release before"]
async fn live_runs_go_on_after_an_upgrade_and_after_the_way_back() {
    up_and_back(Stop::Told).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`just upgrade` builds the release before"]
async fn live_runs_go_on_although_each_program_was_killed() {
    up_and_back(Stop::Killed).await;
}

/// Runs something at `api` that the worker takes, prints and is canceled; and something that ends.
async fn works(world: &World, api: &Api, worker: &str) {
    let on = |text: &str| RunSpec {
        labels: vec![worker.to_owned()],
        ..script(text)
    };
    let ends = api
        .start("shop", on("echo out; echo err >&2; exit 3"))
        .await;
    let failed = api.ends(&ends.id, RunState::Failed, RunReason::AgentError);
    let failed = failed.await;
    assert_eq!(
        (failed.worker_id.as_str(), failed.exit_code),
        (worker, Some(3))
    );
    let log = api.log(&ends.id).await;
    assert!(log.contains("out") && log.contains("err"), "{log}");
    let long = api.start("shop", on("sleep 60")).await;
    api.wait_running(&long.id).await;
    api.cancel(&long.id).await.expect("is canceled");
    world.idle().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`just upgrade` builds the release before"]
async fn servers_and_workers_of_both_releases_work_side_by_side() {
    let world = World::start(Setup::without_worker().short_leases()).await;
    world.admin.project("shop", 4).await;
    let old = world.replica_of(&release(), "old", &[]).await;
    let (new_url, old_url) = (world.ready.url.clone(), old.url.clone());
    let mut workers = Vec::new();
    for (name, binary, url) in [
        ("old-at-old", release(), &old_url),
        ("old-at-new", release(), &new_url),
        ("new-at-old", binary(), &old_url),
        ("new-at-new", binary(), &new_url),
    ] {
        workers.push(
            world
                .worker_of(&binary, name, url, &["--label", name])
                .await,
        );
    }
    for api in [world.admin.clone(), world.admin.at(&old_url)] {
        for worker in ["old-at-old", "old-at-new", "new-at-old", "new-at-new"] {
            works(&world, &api, worker).await;
        }
    }
    let added = world.admin.repository("shop", "acme/one", 501, SERVICES);
    let (repository, secret) = added.await;
    world
        .admin
        .set_secret(&repository.id, "TOKEN", "open-sesame")
        .await;
    for (url, runs) in [(&new_url, 2), (&old_url, 1)] {
        let webhook = Webhook::new(
            "push",
            push(&"5".repeat(40)).to_string().into_bytes(),
            &secret,
        );
        let answer = webhook.send_to(url).await.expect("an answer");
        assert_eq!(answer.status, 202);
        let delivery = handled(&world.admin, &webhook).await;
        assert_eq!(delivery.run_ids.len(), runs);
        for run in &delivery.run_ids {
            let ends = world
                .admin
                .ends(run, RunState::Succeeded, RunReason::Completed);
            ends.await;
        }
    }
    world.idle().await;
}
