//! Runs: concurrency groups, priority, cancel, retry, time limits, explanations, watches.
use ck8s_proto::runs::v1::{
    CancelRunRequest, DrainWorkerRequest, Finished, RetryRunRequest, Run, RunReason, RunSpec,
    RunState, SetSlotsRequest, StartRunRequest, WaitCause, WatchRunsRequest, WorkerState,
    transition::Change,
};
use ck8s_tests::{
    ManualWorker, Setup, TransitionOutcome, World,
    manual_worker::{hello, lease, released, running},
    new_id,
    program::lives,
    script, until,
};
use tonic::Status;
use tonic_types::StatusExt;

/// A server with a worker that the test drives by hand.
async fn by_hand(capacity: i32, slots: i32) -> (World, ManualWorker) {
    let world = World::start(Setup::without_worker().short_leases()).await;
    world.admin.project("acme", slots).await;
    let hand = ManualWorker::connect(&world.as_worker(), hello("w", capacity)).await;
    (world, hand)
}

fn in_group(group: &str, cancel_in_progress: bool) -> RunSpec {
    RunSpec {
        concurrency_group: group.to_owned(),
        cancel_in_progress,
        ..script("true")
    }
}

#[tokio::test]
async fn runs_of_a_group_go_one_after_the_other() {
    let (world, mut hand) = by_hand(4, 4).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(world.admin.start("acme", in_group("deploy", false)).await);
    }
    let other = world.admin.start("acme", in_group("test", false)).await;
    let first = hand.grant_of(&runs[0].id).await;
    let aside = hand.grant_of(&other.id).await;
    hand.beat().await;
    assert!(!hand.has_grant(), "one run of a group at a time");
    let why = world.admin.waits_for(&runs[2].id, WaitCause::Group).await;
    let group = why
        .reasons
        .iter()
        .find(|r| r.cause() == WaitCause::Group)
        .unwrap();
    assert!(group.run_ids.contains(&runs[0].id), "{why:?}");
    hand.work_off(&first).await;
    let second = hand.grant_of(&runs[1].id).await;
    assert!(!hand.has_grant());
    // A run of the group may be canceled; the others move up.
    world.admin.cancel(&runs[1].id).await.unwrap();
    assert_eq!(
        hand.canceled(lease(&second)).await,
        RunReason::CanceledByUser
    );
    hand.tell(lease(&second), released()).await;
    let third = hand.grant_of(&runs[2].id).await;
    hand.work_off(&third).await;
    hand.work_off(&aside).await;
    world.idle().await;
}

#[tokio::test]
async fn a_newer_run_of_a_group_takes_the_place_of_those_before() {
    let (world, mut hand) = by_hand(4, 4).await;
    let first = world.admin.start("acme", in_group("pr-1", true)).await;
    let grant = hand.grant_of(&first.id).await;
    hand.tell(lease(&grant), running()).await;
    let second = world.admin.start("acme", in_group("pr-1", true)).await;
    assert_eq!(hand.canceled(lease(&grant)).await, RunReason::Superseded);
    world
        .admin
        .ends(&first.id, RunState::Canceled, RunReason::Superseded)
        .await;
    hand.beat().await;
    assert!(
        !hand.has_grant(),
        "the workload of the run before may still be there"
    );
    let third = world.admin.start("acme", in_group("pr-1", true)).await;
    world
        .admin
        .ends(&second.id, RunState::Canceled, RunReason::Superseded)
        .await;
    hand.tell(lease(&grant), released()).await;
    let grant = hand.grant_of(&third.id).await;
    hand.work_off(&grant).await;
    world
        .admin
        .ends(&third.id, RunState::Succeeded, RunReason::Completed)
        .await;
    world.idle().await;
}

#[tokio::test]
async fn a_higher_priority_goes_first_and_equal_priorities_go_in_order() {
    let (world, mut hand) = by_hand(1, 1).await;
    let blocker = world.admin.start("acme", script("true")).await;
    let grant = hand.grant_of(&blocker.id).await;
    let mut runs: Vec<(i32, Run)> = Vec::new();
    for priority in [0, -5, 7, 0, 100, 7] {
        runs.push((
            priority,
            world
                .admin
                .start(
                    "acme",
                    RunSpec {
                        priority,
                        ..script("true")
                    },
                )
                .await,
        ));
    }
    let why = world.admin.explain(&runs[1].1.id).await;
    assert_eq!(why.ahead, 5, "{why:?}");
    assert!(
        why.reasons
            .iter()
            .any(|r| r.cause() == WaitCause::Priority && r.run_ids.len() == 5),
        "{why:?}"
    );
    hand.work_off(&grant).await;
    let mut order = Vec::new();
    for _ in &runs {
        let grant = hand.grant().await;
        order.push(lease(&grant).run_id.clone());
        hand.work_off(&grant).await;
    }
    runs.sort_by_key(|(priority, _)| -priority);
    let wanted: Vec<String> = runs.into_iter().map(|(_, run)| run.id).collect();
    assert_eq!(order, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_run_ends_together_with_its_processes() {
    let world = World::start(Setup::with_worker(4)).await;
    world.admin.project("acme", 1).await;
    // Its child ignores SIGTERM and has a child of its own.
    let text =
        "trap '' TERM; sleep 60 & echo $! > ../child; (trap '' TERM; sleep 61) & wait; sleep 62";
    let run = world.admin.start("acme", script(text)).await;
    let run = world.admin.wait_running(&run.id).await;
    let pid: i32 = run.workload.trim_start_matches("process:").parse().unwrap();
    let child = until("its child's number", async || {
        std::fs::read_to_string(world.dir.path().join("data/work/child"))
            .ok()?
            .trim()
            .parse::<i32>()
            .ok()
    })
    .await;
    assert!(lives(pid) && lives(child));
    let waiting = world.admin.start("acme", script("true")).await;

    let canceled = world.admin.cancel(&run.id).await.unwrap();
    assert_eq!(
        (canceled.state(), canceled.reason()),
        (RunState::Canceled, RunReason::CanceledByUser)
    );
    until("its processes are gone", async || {
        (!lives(pid) && !lives(child)).then_some(())
    })
    .await;
    world
        .admin
        .ends(&waiting.id, RunState::Succeeded, RunReason::Completed)
        .await;
    let again = world.admin.cancel(&run.id).await.unwrap_err();
    assert_eq!(again.code(), tonic::Code::FailedPrecondition);
    // A run that waits is canceled in the queue.
    world.admin.set_slots("acme", 0).await;
    let run = world.admin.start("acme", script("true")).await;
    world.admin.waits_for(&run.id, WaitCause::NoSlot).await;
    world.admin.cancel(&run.id).await.unwrap();
    assert_eq!(
        world.admin.kinds(&run.id).await,
        ["run.created", "run.finished"]
    );

    // A run that has ended can be retried.
    let retried = world.admin.retry(&run.id).await;
    assert_eq!(retried.retry_of, run.id);
    world.admin.set_slots("acme", 1).await;
    world
        .admin
        .ends(&retried.id, RunState::Succeeded, RunReason::Completed)
        .await;
    world.idle().await;
}

#[tokio::test]
async fn a_repeated_call_makes_one_run() {
    let (world, _hand) = by_hand(1, 1).await;
    let request = StartRunRequest {
        request_id: new_id(),
        project: "acme".to_owned(),
        spec: Some(script("true")),
        ..Default::default()
    };
    let start = async || {
        world
            .admin
            .runs()
            .start_run(request.clone())
            .await
            .unwrap()
            .into_inner()
            .run
            .unwrap()
            .id
    };
    let (a, b, c) = tokio::join!(start(), start(), start());
    assert!(a == b && b == c);
    assert_eq!(start().await, a);
    assert_eq!(world.admin.all_runs("").await.len(), 1);
}

#[tokio::test]
async fn a_request_id_that_was_used_for_another_request_is_refused_and_changes_nothing() {
    let (world, _hand) = by_hand(0, 4).await;
    let a = world.admin.start("acme", script("true")).await;
    let b = world.admin.start("acme", script("true")).await;
    let request_id = new_id();
    let cancel = |run: &Run| CancelRunRequest {
        request_id: request_id.clone(),
        run_id: run.id.clone(),
        message: String::new(),
    };
    let mut runs = world.admin.runs();
    runs.cancel_run(cancel(&a)).await.unwrap();
    let again = runs.cancel_run(cancel(&a)).await.unwrap().into_inner();
    assert_eq!(again.run.unwrap().state(), RunState::Canceled);

    let reused = |status: Status| {
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone());
        assert_eq!(reason.as_deref(), Some("REQUEST_ID_REUSED"), "{status:?}");
    };
    reused(runs.cancel_run(cancel(&b)).await.unwrap_err());
    let retry = RetryRunRequest {
        request_id: request_id.clone(),
        run_id: a.id.clone(),
    };
    reused(runs.retry_run(retry).await.unwrap_err());
    let start = StartRunRequest {
        request_id: request_id.clone(),
        project: "acme".to_owned(),
        spec: Some(script("true")),
        ..Default::default()
    };
    reused(runs.start_run(start).await.unwrap_err());
    let slots = SetSlotsRequest {
        request_id: request_id.clone(),
        project: "acme".to_owned(),
        slots: 1,
    };
    reused(runs.set_slots(slots).await.unwrap_err());
    let drain = DrainWorkerRequest {
        request_id,
        worker_id: "w".to_owned(),
        undo: false,
    };
    reused(runs.drain_worker(drain).await.unwrap_err());

    assert_eq!(world.admin.run(&b.id).await.state(), RunState::Pending);
    assert_eq!(world.admin.all_runs("").await.len(), 2);
    assert_eq!(world.admin.slots("acme").await.len(), 4);
    world.admin.worker_is("w", WorkerState::Connected).await;
}

#[tokio::test]
async fn a_call_that_is_repeated_after_another_one_changes_nothing_again() {
    let (world, _hand) = by_hand(0, 4).await;
    let first = SetSlotsRequest {
        request_id: new_id(),
        project: "acme".to_owned(),
        slots: 2,
    };
    let second = SetSlotsRequest {
        request_id: new_id(),
        slots: 3,
        ..first.clone()
    };
    let mut runs = world.admin.runs();
    for request in [&first, &second, &first] {
        runs.set_slots(request.clone()).await.unwrap();
    }
    assert_eq!(world.admin.slots("acme").await.len(), 3);
}

#[tokio::test]
async fn each_time_limit_has_its_reason() {
    let (world, mut hand) = by_hand(8, 8).await;
    let limits = |unscheduled, pending, running| RunSpec {
        unscheduled_timeout_seconds: unscheduled,
        pending_timeout_seconds: pending,
        running_timeout_seconds: running,
        max_attempts: 1,
        ..script("true")
    };
    let nobody = RunSpec {
        labels: vec!["nobody".to_owned()],
        ..limits(1, 0, 0)
    };
    let unscheduled = world.admin.start("acme", nobody).await;
    let start = world.admin.start("acme", limits(0, 1, 0)).await;
    let never_started = hand.grant_of(&start.id).await;
    world
        .admin
        .ends(&unscheduled.id, RunState::Failed, RunReason::Unscheduled)
        .await;
    world
        .admin
        .ends(&start.id, RunState::Failed, RunReason::StartTimedOut)
        .await;
    hand.canceled(lease(&never_started)).await;
    hand.tell(lease(&never_started), released()).await;

    let silent = world.admin.start("acme", limits(0, 0, 0)).await;
    let grant = hand.grant_of(&silent.id).await;
    hand.tell(lease(&grant), running()).await;
    hand.fall_silent();
    world
        .admin
        .ends(&silent.id, RunState::Failed, RunReason::WorkerLost)
        .await;
    world.idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_runs_too_long_is_ended() {
    let world = World::start(Setup::with_worker(4)).await;
    world.admin.project("acme", 1).await;
    let run = world
        .admin
        .start(
            "acme",
            RunSpec {
                running_timeout_seconds: 1,
                ..script("echo begun; sleep 60")
            },
        )
        .await;
    let ended = world
        .admin
        .ends(&run.id, RunState::Failed, RunReason::TimedOut)
        .await;
    let pid: i32 = ended
        .workload
        .trim_start_matches("process:")
        .parse()
        .unwrap();
    world.idle().await;
    assert!(!lives(pid));
    let log = world.admin.log(&run.id).await;
    assert!(log.starts_with("begun\n"), "{log}");
    let failed = world.admin.start("acme", script("exit 7")).await;
    let failed = world
        .admin
        .ends(&failed.id, RunState::Failed, RunReason::AgentError)
        .await;
    assert_eq!(failed.exit_code, Some(7));
    let missing = RunSpec {
        command: vec!["/no/such/program".to_owned()],
        ..RunSpec::default()
    };
    let missing = world.admin.start("acme", missing).await;
    world
        .admin
        .ends(&missing.id, RunState::Failed, RunReason::ConfigError)
        .await;
    world.idle().await;
}

#[tokio::test]
async fn an_explanation_names_what_is_in_the_way() {
    let world = World::start(Setup::without_worker()).await;
    world.admin.project("acme", 2).await;
    let first = world.admin.start("acme", script("true")).await;
    let why = world.admin.waits_for(&first.id, WaitCause::NoWorker).await;
    assert!(
        why.summary.contains("no worker is connected"),
        "{}",
        why.summary
    );

    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 2)).await;
    let one = hand.grant_of(&first.id).await;
    let why = world.admin.waits_for(&first.id, WaitCause::Starting).await;
    assert!(why.summary.contains("worker w"), "{}", why.summary);
    hand.tell(lease(&one), running()).await;
    assert_eq!(world.admin.explain(&first.id).await.reasons, []);

    let second = world.admin.start("acme", script("true")).await;
    let two = hand.grant_of(&second.id).await;
    let third = world.admin.start("acme", script("true")).await;
    let why = world.admin.waits_for(&third.id, WaitCause::NoSlot).await;
    let full = why
        .reasons
        .iter()
        .find(|r| r.cause() == WaitCause::NoSlot)
        .unwrap();
    let mut holders: Vec<&str> = full.slots.iter().map(|s| s.run_id.as_str()).collect();
    holders.sort_unstable();
    assert_eq!(holders, [first.id.as_str(), &second.id]);
    assert!(
        full.slots
            .iter()
            .all(|s| s.lease_until.is_some() && s.worker_id == "w"),
        "{full:?}"
    );

    world.admin.set_slots("acme", 3).await;
    world
        .admin
        .waits_for(&third.id, WaitCause::WorkersFull)
        .await;
    let fourth = world.admin.start("acme", script("true")).await;
    let why = world.admin.waits_for(&fourth.id, WaitCause::Priority).await;
    assert_eq!(
        (why.ahead, why.reasons.last().unwrap().run_ids.as_slice()),
        (1, &[third.id.clone()][..])
    );
    for grant in [&one, &two] {
        hand.work_off(grant).await;
    }
    let why = world.admin.explain(&first.id).await;
    assert!(
        why.reasons.is_empty() && why.summary.starts_with("succeeded (completed)"),
        "{why:?}"
    );
}

#[tokio::test]
async fn a_watch_goes_on_where_it_was_interrupted() {
    let (world, mut hand) = by_hand(4, 4).await;
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut cursor = {
        let list = world
            .admin
            .runs()
            .list_runs(ck8s_proto::runs::v1::ListRunsRequest::default())
            .await
            .unwrap();
        list.into_inner().cursor
    };
    let mut wanted = Vec::new();
    for cut_after in [1, 3, 2, 7, 1, 4] {
        // Something happens while nobody watches, and more while somebody does.
        let run = world.admin.start("acme", script("true")).await;
        let grant = hand.grant_of(&run.id).await;
        let request = WatchRunsRequest {
            cursor: cursor.clone(),
            ..Default::default()
        };
        let mut stream = world
            .admin
            .runs()
            .watch_runs(request)
            .await
            .unwrap()
            .into_inner();
        hand.work_off(&grant).await;
        for kind in [
            "run.created",
            "run.leased",
            "run.running",
            "run.finished",
            "run.released",
        ] {
            wanted.push((run.id.clone(), kind.to_owned()));
        }
        for _ in 0..cut_after {
            if seen.len() == wanted.len() {
                break;
            }
            take(&mut stream, &mut seen, &mut cursor).await;
        }
    }
    let request = WatchRunsRequest {
        cursor: cursor.clone(),
        ..Default::default()
    };
    let mut stream = world
        .admin
        .runs()
        .watch_runs(request)
        .await
        .unwrap()
        .into_inner();
    while seen.len() < wanted.len() {
        take(&mut stream, &mut seen, &mut cursor).await;
    }
    assert_eq!(seen, wanted);
}

/// Returns the next event of a watch.
async fn take(
    stream: &mut tonic::Streaming<ck8s_proto::runs::v1::WatchRunsResponse>,
    seen: &mut Vec<(String, String)>,
    cursor: &mut String,
) {
    let reading = async {
        loop {
            let message = stream.message().await.unwrap().expect("the stream goes on");
            *cursor = message.cursor;
            // The first cursor may lie before what was made just before it: a project, its slots.
            if let Some(event) = message.event.filter(|e| !e.run_id.is_empty()) {
                return (event.run_id, event.kind);
            }
        }
    };
    seen.push(
        tokio::time::timeout(ck8s_tests::WAIT_TIMEOUT, reading)
            .await
            .expect("an event in time"),
    );
}

#[tokio::test]
async fn a_cursor_from_the_future_is_refused() {
    let world = World::start(Setup::without_worker()).await;
    // The place after every event, as a page token: [9223372036854775807,0].
    let request = WatchRunsRequest {
        cursor: "WzkyMjMzNzIwMzY4NTQ3NzU4MDcsMF0".to_owned(),
        ..Default::default()
    };
    let refused = world.admin.runs().watch_runs(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::OutOfRange, "{refused:?}");
    let details = refused.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    assert_eq!(reason.as_deref(), Some("CURSOR_AHEAD"));
}

#[tokio::test]
async fn a_text_with_a_nul_character_is_an_invalid_argument() {
    let world = World::start(Setup::without_worker()).await;
    world.admin.project("acme", 1).await;
    let request = StartRunRequest {
        project: "acme".to_owned(),
        spec: Some(RunSpec {
            labels: vec!["a\0b".to_owned()],
            ..script("true")
        }),
        ..Default::default()
    };
    let refused = world.admin.runs().start_run(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused:?}");
}

#[tokio::test]
async fn a_terminal_state_is_final() {
    let (world, mut hand) = by_hand(1, 1).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = hand.grant_of(&run.id).await;
    hand.tell(lease(&grant), running()).await;
    world.admin.cancel(&run.id).await.unwrap();
    // The workload ended by itself at the same moment: the state that was recorded first stays.
    let finished = Finished {
        state: RunState::Succeeded.into(),
        reason: RunReason::Completed.into(),
        ..Default::default()
    };
    assert_eq!(
        hand.tell(lease(&grant), Change::Finished(finished)).await,
        TransitionOutcome::Stored
    );
    hand.tell(lease(&grant), released()).await;
    world
        .admin
        .ends(&run.id, RunState::Canceled, RunReason::CanceledByUser)
        .await;
    let refused = sqlx::query!("UPDATE runs.runs SET state = 'succeeded', reason = 'completed'")
        .execute(&world.owner)
        .await;
    assert!(refused.unwrap_err().to_string().contains("is final"));
    for statement in [
        "UPDATE audit.flow_events SET message = ''",
        "DELETE FROM audit.flow_events",
        "TRUNCATE audit.flow_events",
    ] {
        let refused = sqlx::query(statement).execute(&world.owner).await;
        assert!(
            refused.unwrap_err().to_string().contains("append-only"),
            "{statement}"
        );
    }
}
