//! Replicas: two servers on one database, with a worker on each.
use std::collections::HashSet;

use ck8s_proto::runs::v1::{RunReason, RunState, WatchRunsRequest, WorkerState};
use ck8s_tests::{Api, Node, Setup, World, program::lives, script, until};

/// Two replicas with their workers.
struct Two {
    a: Api,
    b: Api,
    _worker_a: Node,
    worker_b: Node,
    replica: Node,
    world: World,
}

/// Starts two replicas: `a` is the first server, `b` the other one. Each has one worker with a label of its own.
async fn two() -> Two {
    let world = World::start(Setup::without_worker().short_leases()).await;
    let replica = world
        .replica(
            "replica",
            &[
                ("CK8S_LEASE_TTL_MS", "2000"),
                ("CK8S_HEARTBEAT_INTERVAL_MS", "500"),
            ],
        )
        .await;
    world.admin.project("acme", 8).await;
    let _worker_a = world
        .worker("at-a", &world.ready.url, &["--label", "a"])
        .await;
    let worker_b = world.worker("at-b", &replica.url, &["--label", "b"]).await;
    Two {
        a: world.admin.clone(),
        b: world.admin.at(&replica.url),
        _worker_a,
        worker_b,
        replica,
        world,
    }
}

fn on(label: &str, text: &str) -> ck8s_proto::runs::v1::RunSpec {
    ck8s_proto::runs::v1::RunSpec {
        labels: vec![label.to_owned()],
        ..script(text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_one_replica_reaches_the_workers_of_the_other() {
    let two = two().await;
    let mut times = Vec::new();
    for (api, label, worker) in [(&two.a, "b", "at-b"), (&two.b, "a", "at-a")]
        .into_iter()
        .cycle()
        .take(6)
    {
        let before = std::time::Instant::now();
        let run = api.start("acme", on(label, "sleep 30")).await;
        let run = api.wait_running(&run.id).await;
        times.push(before.elapsed());
        assert_eq!(run.worker_id, worker);
        let pid: i32 = run.workload.trim_start_matches("process:").parse().unwrap();
        // The cancel goes to the replica to which the worker is not connected.
        let before = std::time::Instant::now();
        let canceled = api.cancel(&run.id).await.unwrap();
        assert_eq!(
            (canceled.state(), canceled.reason()),
            (RunState::Canceled, RunReason::CanceledByUser)
        );
        until("its process is gone", async || (!lives(pid)).then_some(())).await;
        println!(
            "canceled on {worker}: its process is gone after {:?}",
            before.elapsed()
        );
    }
    times.sort();
    println!("started on the other replica's worker, from the call to running: {times:?}");
    assert!(
        times[0] < std::time::Duration::from_millis(800),
        "a wake-up starts it, not the sweep"
    );
    two.world.idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_at_either_replica_shows_what_happens_at_both() {
    let two = two().await;
    let mut watches = Vec::new();
    for api in [&two.a, &two.b] {
        let mut stream = api
            .runs()
            .watch_runs(WatchRunsRequest::default())
            .await
            .unwrap()
            .into_inner();
        stream
            .message()
            .await
            .unwrap()
            .expect("the stream begins at once");
        watches.push(stream);
    }
    let (x, y) = (
        two.a.start("acme", on("b", "true")).await,
        two.b.start("acme", on("a", "true")).await,
    );
    for stream in &mut watches {
        let mut left: HashSet<(String, String)> = [&x.id, &y.id]
            .into_iter()
            .flat_map(|id| {
                [
                    "run.created",
                    "run.leased",
                    "run.running",
                    "run.finished",
                    "run.released",
                ]
                .map(|kind| (id.clone(), kind.to_owned()))
            })
            .collect();
        let seeing = async {
            while !left.is_empty() {
                let seen = stream.message().await.unwrap().expect("the stream goes on");
                // A watch may begin a little before now, and so show what was made before these runs.
                let ours = |id: &str| id == x.id || id == y.id;
                if let Some(event) = seen.event.filter(|e| ours(&e.run_id)) {
                    assert!(
                        left.remove(&(event.run_id.clone(), event.kind.clone())),
                        "seen twice: {event:?}"
                    );
                }
            }
        };
        tokio::time::timeout(ck8s_tests::WAIT_TIMEOUT, seeing)
            .await
            .expect("the watch shows everything");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replica_takes_no_run_with_it() {
    let mut two = two().await;
    let go = two.world.dir.path().join("go");
    let waiting = format!("while [ ! -e {} ]; do sleep 0.05; done", go.display());
    let here = two.b.start("acme", on("a", &waiting)).await;
    let there = two.a.start("acme", on("b", &waiting)).await;
    two.a.wait_running(&here.id).await;
    let there = two.a.wait_running(&there.id).await;
    two.replica.program.kill();
    // The other replica goes on: for its own worker and for its clients.
    let more = two.a.start("acme", on("a", "true")).await;
    two.a
        .ends(&more.id, RunState::Succeeded, RunReason::Completed)
        .await;
    let waits = two.a.start("acme", on("b", "true")).await;
    two.replica.restart();
    two.replica.serves().await;
    two.a.worker_is("at-b", WorkerState::Connected).await;
    std::fs::write(&go, "").unwrap();
    let here = two
        .b
        .ends(&here.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!(here.attempt, 1, "its replica lived on");
    let ended = two
        .b
        .ends(&there.id, RunState::Succeeded, RunReason::Completed)
        .await;
    println!(
        "the run of the killed replica's worker ended at attempt {} ({} before)",
        ended.attempt, there.attempt
    );
    two.b
        .ends(&waits.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert!(
        two.worker_b.program.ended().is_none(),
        "its worker lives on and is connected again"
    );
    two.world.idle().await;
}
