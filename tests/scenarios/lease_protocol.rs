//! The lease stream, frame by frame, with a worker that the test drives by hand.
use ck8s_proto::{
    ingress::v1::ListDeliveriesRequest,
    runs::v1::{
        Capacity, DrainWorkerRequest, GetRunRequest, LeaseRef, ListRunsRequest, RunReason,
        RunState, WaitCause, WorkerState, lease_request,
    },
};
use ck8s_tests::{
    ManualWorker, Setup, TransitionOutcome, World, database,
    manual_worker::{
        handed_back, hello, hello_of_cluster, lease, lost, released, running, succeeded,
    },
    new_id, script,
};

async fn world() -> World {
    let world = World::start(Setup::without_worker().short_leases()).await;
    world.admin.project("acme", 2).await;
    world
}

fn count(kinds: &[String], kind: &str) -> usize {
    kinds.iter().filter(|k| *k == kind).count()
}

#[tokio::test]
async fn a_grant_is_pushed_and_a_repeated_transition_is_recorded_once() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 1)).await;
    assert_eq!(
        (
            hand.welcome.lease_ttl_ms,
            hand.welcome.heartbeat_interval_ms
        ),
        (2000, 500)
    );
    let run = world.admin.start("acme", script("true")).await;
    let grant = hand.grant().await;
    let held = lease(&grant).clone();
    assert_eq!(
        (
            held.run_id.as_str(),
            grant.slot,
            grant.takeover,
            grant.cleanup_only
        ),
        (run.id.as_str(), 1, false, false)
    );
    assert_eq!(grant.project_slug, "acme");
    assert_eq!(
        grant.run.as_ref().unwrap().spec.as_ref().unwrap().command[2],
        "true"
    );

    let first = hand.say(&held, running()).await;
    assert_eq!(
        hand.acknowledged(first, &held).await,
        TransitionOutcome::Stored
    );
    let second = hand.say(&held, succeeded()).await;
    assert_eq!(
        hand.acknowledged(second, &held).await,
        TransitionOutcome::Stored
    );
    let third = hand.say(&held, released()).await;
    assert_eq!(
        hand.acknowledged(third, &held).await,
        TransitionOutcome::Stored
    );
    // The acknowledgements were lost: the worker repeats everything, one by one and all at once.
    hand.say_as(third, &held, released()).await;
    assert_eq!(
        hand.acknowledged(third, &held).await,
        TransitionOutcome::Stored
    );
    let kinds = world.admin.kinds(&run.id).await;
    assert_eq!(
        kinds,
        [
            "run.created",
            "run.leased",
            "run.running",
            "run.finished",
            "run.released"
        ]
    );

    let run = world.admin.start("acme", script("true")).await;
    let held = lease(&hand.grant().await).clone();
    let first = hand.say(&held, running()).await;
    for _ in 0..3 {
        assert_eq!(
            hand.acknowledged(first, &held).await,
            TransitionOutcome::Stored
        );
        hand.say_as(first, &held, running()).await;
    }
    hand.acknowledged(first, &held).await;
    let second = hand.say(&held, succeeded()).await;
    for _ in 0..3 {
        assert_eq!(
            hand.acknowledged(second, &held).await,
            TransitionOutcome::Stored
        );
        hand.say_as(second, &held, succeeded()).await;
    }
    hand.acknowledged(second, &held).await;
    hand.tell(&held, released()).await;
    let kinds = world.admin.kinds(&run.id).await;
    assert_eq!(
        kinds,
        [
            "run.created",
            "run.leased",
            "run.running",
            "run.finished",
            "run.released"
        ]
    );
    world.idle().await;
}

#[tokio::test]
async fn a_grant_that_was_lost_with_its_stream_is_sent_again() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 2)).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = hand.grant().await;
    let same = hand.hello.clone();
    drop(hand);
    let mut hand = ManualWorker::connect(&world.as_worker(), same).await;
    let again = hand.grant_of(&run.id).await;
    assert_eq!(
        (lease(&again), again.slot, again.takeover),
        (lease(&grant), grant.slot, false)
    );
    hand.work_off(&again).await;
    world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;

    // The worker keeps what it still holds, and nothing is granted twice.
    let run = world.admin.start("acme", script("true")).await;
    let grant = hand.grant_of(&run.id).await;
    hand.tell(lease(&grant), running()).await;
    let mut same = hand.hello.clone();
    same.leases = vec![
        lease(&grant).clone(),
        LeaseRef {
            run_id: new_id(),
            epoch: 1,
        },
    ];
    drop(hand);
    let mut hand = ManualWorker::connect(&world.as_worker(), same.clone()).await;
    assert_eq!(hand.revoked(&same.leases[1]).await, "STALE_EPOCH");
    hand.beat().await;
    assert!(!hand.has_grant(), "{:?}", hand.kept());
    for change in [succeeded(), released()] {
        assert_eq!(
            hand.tell(lease(&grant), change).await,
            TransitionOutcome::Stored
        );
    }
}

#[tokio::test]
async fn a_restarted_process_worker_gets_a_new_attempt() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 1)).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = hand.grant().await;
    hand.tell(lease(&grant), running()).await;
    drop(hand);
    let before = std::time::Instant::now();
    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 1)).await;
    let second = hand.grant_of(&run.id).await;
    println!("a new attempt after {:?}", before.elapsed());
    assert!(lease(&second).epoch > lease(&grant).epoch);
    assert_eq!(
        (second.takeover, second.run.as_ref().unwrap().attempt),
        (false, 2)
    );
    hand.work_off(&second).await;
    let run = world.admin.wait_end(&run.id).await;
    assert_eq!((run.state(), run.attempt), (RunState::Succeeded, 2));
}

#[tokio::test]
async fn a_restarted_cluster_worker_takes_its_workload_over() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello_of_cluster("k", "one", 1)).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = hand.grant().await;
    hand.tell(lease(&grant), running()).await;
    let started = world.admin.run(&run.id).await.start_time;
    drop(hand);
    let mut hand = ManualWorker::connect(&world.as_worker(), hello_of_cluster("k", "one", 1)).await;
    let taken = hand.grant_of(&run.id).await;
    assert!(taken.takeover && !taken.cleanup_only);
    assert!(lease(&taken).epoch > lease(&grant).epoch);
    assert_eq!(taken.run.as_ref().unwrap().attempt, 1);
    assert_eq!((taken.slot, taken.start_time), (grant.slot, started));
    assert!((0..60_000).contains(&taken.running_ms), "{taken:?}");
    // The old epoch is stale from here on.
    assert_eq!(
        hand.tell(lease(&grant), succeeded()).await,
        TransitionOutcome::Revoked
    );
    hand.work_off(&taken).await;
    world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
}

#[tokio::test]
async fn a_second_attempt_that_is_taken_over_counts_from_its_own_start() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello_of_cluster("k", "one", 1)).await;
    let run = world.admin.start("acme", script("true")).await;
    let first = hand.grant().await;
    hand.tell(lease(&first), running()).await;
    hand.tell(lease(&first), lost()).await;
    let second = hand.grant_of(&run.id).await;
    hand.tell(lease(&second), running()).await;
    drop(hand);
    let mut hand = ManualWorker::connect(&world.as_worker(), hello_of_cluster("k", "one", 1)).await;
    let taken = hand.grant_of(&run.id).await;
    let told = taken.run.as_ref().unwrap();
    assert_eq!((taken.takeover, told.attempt), (true, 2));
    let nanos = |at: Option<prost_types::Timestamp>| at.map(|at| (at.seconds, at.nanos));
    assert!(
        nanos(taken.start_time) > nanos(told.start_time),
        "the run's start is its first attempt's: {taken:?}"
    );
    hand.work_off(&taken).await;
    world.idle().await;
}

#[tokio::test]
async fn only_a_worker_of_the_same_cluster_takes_over() {
    let world = world().await;
    let mut one = ManualWorker::connect(&world.as_worker(), hello_of_cluster("one", "a", 4)).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = one.grant().await;
    one.tell(lease(&grant), running()).await;
    let mut other =
        ManualWorker::connect(&world.as_worker(), hello_of_cluster("other", "b", 4)).await;
    let mut process = ManualWorker::connect(&world.as_worker(), hello("process", 4)).await;
    drop(one);
    world
        .admin
        .wait(&run.id, "it has lost its worker", |r| {
            r.state() == RunState::Running
        })
        .await;
    ck8s_tests::until("run.orphaned", async || {
        world
            .admin
            .kinds(&run.id)
            .await
            .contains(&"run.orphaned".to_owned())
            .then_some(())
    })
    .await;
    // The reaper comes every second: after another run and two heartbeats, still no other worker has the lease.
    other.beat().await;
    process.beat().await;
    let mut same =
        ManualWorker::connect(&world.as_worker(), hello_of_cluster("same", "a", 4)).await;
    let taken = same.grant_of(&run.id).await;
    assert!(taken.takeover);
    other.beat().await;
    process.beat().await;
    assert!(!other.has_grant() && !process.has_grant());
    same.work_off(&taken).await;
    world.idle().await;
}

#[tokio::test]
async fn a_returned_lease_goes_to_another_worker() {
    let world = world().await;
    let api = world.as_worker();
    let mut leaving = ManualWorker::connect(&api, hello("leaving", 1)).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = leaving.grant().await;
    leaving.drain().await;
    let mut staying = ManualWorker::connect(&api, hello("staying", 1)).await;
    assert_eq!(
        leaving.tell(lease(&grant), handed_back(false)).await,
        TransitionOutcome::Stored
    );
    let again = staying.grant_of(&run.id).await;
    assert!(lease(&again).epoch > lease(&grant).epoch);
    assert_eq!(
        (again.takeover, again.run.as_ref().unwrap().attempt),
        (false, 1),
        "it never started: the same attempt"
    );
    staying.work_off(&again).await;
    drop((leaving, staying));
    for gone in ["leaving", "staying"] {
        world.admin.worker_is(gone, WorkerState::Disconnected).await;
    }

    // Another worker takes over at once a workload that goes on.
    let mut leaving = ManualWorker::connect(&api, hello_of_cluster("k1", "a", 1)).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = leaving.grant_of(&run.id).await;
    leaving.tell(lease(&grant), running()).await;
    let mut staying = ManualWorker::connect(&api, hello_of_cluster("k2", "a", 1)).await;
    leaving.drain().await;
    assert_eq!(
        leaving.tell(lease(&grant), handed_back(true)).await,
        TransitionOutcome::Stored
    );
    let taken = staying.grant_of(&run.id).await;
    assert_eq!(
        (taken.takeover, taken.run.as_ref().unwrap().attempt),
        (true, 1)
    );
    staying.work_off(&taken).await;
    world.idle().await;
}

#[tokio::test]
async fn a_lost_workload_gets_a_new_attempt_until_the_last_one() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 1)).await;
    let run = world.admin.start("acme", script("true")).await;
    for attempt in 1..=2 {
        let grant = hand.grant_of(&run.id).await;
        assert_eq!(grant.run.as_ref().unwrap().attempt, attempt);
        hand.tell(lease(&grant), running()).await;
        assert_eq!(
            hand.tell(lease(&grant), lost()).await,
            TransitionOutcome::Stored
        );
    }
    let run = world.admin.wait_end(&run.id).await;
    assert_eq!(
        (run.state(), run.reason(), run.attempt),
        (RunState::Failed, RunReason::WorkloadLost, 2)
    );
    world.idle().await;
}

#[tokio::test]
async fn a_worker_that_drains_or_is_full_gets_no_run() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 1)).await;
    let drain = |undo| DrainWorkerRequest {
        request_id: new_id(),
        worker_id: "w".to_owned(),
        undo,
    };
    world.admin.runs().drain_worker(drain(false)).await.unwrap();
    world.admin.worker_is("w", WorkerState::Draining).await;
    let run = world.admin.start("acme", script("true")).await;
    let answer = world.admin.waits_for(&run.id, WaitCause::NoWorker).await;
    assert!(answer.summary.contains("draining"), "{}", answer.summary);
    hand.beat().await;
    assert!(!hand.has_grant());
    world.admin.runs().drain_worker(drain(true)).await.unwrap();
    let grant = hand.grant_of(&run.id).await;
    hand.work_off(&grant).await;

    hand.send(lease_request::Frame::Capacity(Capacity { capacity: 0 }))
        .await;
    hand.beat().await;
    let run = world.admin.start("acme", script("true")).await;
    world.admin.waits_for(&run.id, WaitCause::WorkersFull).await;
    hand.beat().await;
    assert!(!hand.has_grant());
    hand.send(lease_request::Frame::Capacity(Capacity { capacity: 1 }))
        .await;
    let grant = hand.grant_of(&run.id).await;
    hand.work_off(&grant).await;
    world.idle().await;
}

#[tokio::test]
async fn a_stream_that_was_replaced_is_closed() {
    let world = world().await;
    let mut first = ManualWorker::connect(&world.as_worker(), hello("w", 1)).await;
    let mut second = ManualWorker::connect(&world.as_worker(), hello("w", 1)).await;
    let status = first.closed().await.expect("the status says why");
    assert_eq!(status.code(), tonic::Code::Aborted, "{status:?}");
    let run = world.admin.start("acme", script("true")).await;
    let grant = second.grant_of(&run.id).await;
    second.work_off(&grant).await;
    assert_eq!(
        world
            .admin
            .worker_is("w", WorkerState::Connected)
            .await
            .instance_id,
        second.hello.instance_id
    );
}

#[tokio::test]
async fn an_invalid_hello_is_refused() {
    let world = world().await;
    let api = world.as_worker();
    let refused = async |change: &dyn Fn(&mut ck8s_proto::runs::v1::Hello)| {
        let mut hello = hello("w", 1);
        change(&mut hello);
        ManualWorker::try_connect(&api, hello)
            .await
            .err()
            .expect("is refused")
            .code()
    };
    assert_eq!(
        refused(&|h| h.protocol_version = 2).await,
        tonic::Code::FailedPrecondition
    );
    assert_eq!(
        refused(&|h| h.worker_id = "a b".to_owned()).await,
        tonic::Code::InvalidArgument
    );
    assert_eq!(
        refused(&|h| h.instance_id = "x".to_owned()).await,
        tonic::Code::InvalidArgument
    );
    assert_eq!(
        refused(&|h| h.executor = "docker".to_owned()).await,
        tonic::Code::InvalidArgument
    );
    assert_eq!(
        refused(&|h| h.capacity = -1).await,
        tonic::Code::InvalidArgument
    );
    // Only a worker may open this stream.
    let denied = ManualWorker::try_connect(&world.admin, hello("w", 1))
        .await
        .err()
        .unwrap();
    assert_eq!(denied.code(), tonic::Code::PermissionDenied);
}

#[tokio::test]
async fn the_events_of_a_lease_name_its_epochs() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello_of_cluster("k", "one", 1)).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = hand.grant().await;
    hand.tell(lease(&grant), running()).await;
    drop(hand);
    let mut hand = ManualWorker::connect(&world.as_worker(), hello_of_cluster("k", "one", 1)).await;
    let taken = hand.grant_of(&run.id).await;
    let mut adopted = running();
    if let ck8s_proto::runs::v1::transition::Change::Running(r) = &mut adopted {
        r.adopted = true;
    }
    hand.tell(lease(&taken), adopted.clone()).await;
    hand.tell(lease(&taken), adopted).await;
    for change in [succeeded(), released()] {
        hand.tell(lease(&taken), change).await;
    }
    let kinds = world.admin.kinds(&run.id).await;
    for (kind, times) in [
        ("run.running", 1),
        ("run.orphaned", 1),
        ("run.taken_over", 1),
        ("run.adopted", 1),
        ("run.finished", 1),
    ] {
        assert_eq!(count(&kinds, kind), times, "{kind}: {kinds:?}");
    }
}

#[tokio::test]
async fn a_lease_whose_commit_was_not_acknowledged_is_granted_all_the_same() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 1)).await;
    // No worker has the label: the run waits.
    let mut spec = script("true");
    spec.labels = vec!["gpu".to_owned()];
    let run = world.admin.start("acme", spec).await;
    world.admin.waits_for(&run.id, WaitCause::NoWorker).await;
    database::lease_unseen(&world.owner, &run.id, "w", 2).await;
    let grant = hand.grant_of(&run.id).await;
    assert_eq!((grant.slot, grant.takeover), (2, false));
    hand.work_off(&grant).await;
    world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
}

#[tokio::test]
async fn reads_that_wait_for_the_database_let_no_worker_expire() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 1)).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = hand.grant().await;
    hand.tell(lease(&grant), running()).await;
    // Somebody alters the table of runs, and whoever reads it waits: more readers than there are connections for them.
    let mut altering = world.owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE runs.runs IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *altering)
        .await
        .unwrap();
    let readers: Vec<_> = (0..100)
        .map(|_| {
            let mut runs = world.admin.runs();
            let request = GetRunRequest {
                run_id: run.id.clone(),
            };
            tokio::spawn(async move { runs.get_run(request).await })
        })
        .collect();
    ck8s_tests::until("readers wait", async || {
        let waiting = "SELECT count(*) > 5 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting: bool = sqlx::query_scalar(waiting).fetch_one(&world.owner).await.unwrap();
        waiting.then_some(())
    })
    .await;
    for _ in 0..3 {
        hand.beat().await;
    }
    altering.rollback().await.unwrap();
    for reader in readers {
        reader.await.unwrap().unwrap();
    }
    assert_eq!(count(&world.admin.kinds(&run.id).await, "run.orphaned"), 0);
    hand.tell(lease(&grant), succeeded()).await;
    hand.tell(lease(&grant), released()).await;
    world.idle().await;
}

#[tokio::test]
async fn a_number_of_slots_whose_notice_was_lost_is_seen_by_the_sweep() {
    let world = world().await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 4)).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = hand.grant_of(&run.id).await;
    hand.work_off(&grant).await;
    // What SetSlots at another replica writes.
    sqlx::query("UPDATE runs.project_slots SET slots = 0")
        .execute(&world.owner)
        .await
        .unwrap();
    ck8s_tests::until("a run waits", async || {
        let run = world.admin.start("acme", script("true")).await;
        if database::queued(&world.owner).await > 0 {
            return Some(());
        }
        let grant = hand.grant_of(&run.id).await;
        hand.work_off(&grant).await;
        None
    })
    .await;
    assert_eq!(database::leases(&world.owner).await, 0);
}

#[tokio::test]
async fn a_state_that_nobody_knows_is_no_filter_at_all() {
    let world = world().await;
    world.admin.start("acme", script("true")).await;
    for states in [vec![77], vec![0], vec![RunState::Failed.into(), -1]] {
        let request = ListRunsRequest {
            states,
            ..Default::default()
        };
        let refused = world.admin.runs().list_runs(request).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    }
    let request = ListDeliveriesRequest {
        state: 77,
        ..Default::default()
    };
    let refused = world.admin.ingress().list_deliveries(request).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::InvalidArgument);
}
