//! What every executor must do, tested with both.
mod common;

use std::time::{Duration, Instant};

use ck8s_types::{Epoch, RunReason, RunState};
use ck8s_worker::{ExecutorError, WorkloadEvent, WorkloadRequest};
use common::{Fixture, Log, end, fixtures, request, running, spec, within};

#[tokio::test]
async fn the_exit_code_decides_the_result_and_output_is_logged() {
    for fixture in fixtures().await {
        let cases = [
            (
                "echo out; echo err >&2; echo $SECRET $CK8S_EVENT",
                0,
                RunReason::Completed,
                RunState::Succeeded,
            ),
            (
                "echo out; echo err >&2; echo $SECRET $CK8S_EVENT; exit 3",
                3,
                RunReason::AgentError,
                RunState::Failed,
            ),
        ];
        for (script, code, reason, state) in cases {
            let (request, _lease) = request(spec(script));
            let log = Log::new();
            let mut workload = fixture
                .executor
                .start(&request, &log.sink)
                .await
                .expect("starts");
            let (ran, exit) = end(&mut workload).await;
            let exit = exit.expect("ends");
            assert!(ran);
            assert_eq!(
                (exit.code, exit.reason, exit.state()),
                (Some(code), reason, state)
            );
            drop(workload);
            let (output, _) = log.read().await;
            let mut lines: Vec<_> = output.lines().collect();
            lines.sort_unstable();
            assert_eq!(lines, ["err", "hunter22 push", "out"]);
            within(
                fixture
                    .executor
                    .remove(&request.id, Some(request.epoch), Duration::ZERO),
            )
            .await
            .expect("is removed");
            // A Job whose pods were removed is listed until the cluster's garbage collector has processed it.
            within(async {
                loop {
                    let left = fixture.executor.leftovers().await.expect("lists");
                    if left.iter().all(|t| t.run_id != request.id.run_id) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_removed_workload_is_gone_soon() {
    for fixture in fixtures().await {
        let (request, _lease) = request(spec("echo up; while :; do sleep 1; done"));
        assert_removed_within(&fixture, &request, Duration::from_secs(5)).await;
    }
}

/// A node gives a container at least 2 s, and checks it every second.
#[tokio::test]
async fn a_removed_workload_is_gone_even_if_it_ignores_sigterm() {
    for fixture in fixtures().await {
        let (request, _lease) = request(spec("trap '' TERM; echo up; while :; do sleep 1; done"));
        assert_removed_within(&fixture, &request, Duration::from_secs(15)).await;
    }
}

async fn assert_removed_within(fixture: &Fixture, request: &WorkloadRequest, limit: Duration) {
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(request, &log.sink)
        .await
        .expect("starts");
    running(&mut workload).await;
    // Before that, SIGTERM may end the shell too soon.
    log.until_output().await;
    workload.expect_end();
    let start = Instant::now();
    within(
        fixture
            .executor
            .remove(&request.id, Some(request.epoch), Duration::from_secs(1)),
    )
    .await
    .expect("is removed");
    eprintln!("removed in {:?}", start.elapsed());
    assert!(start.elapsed() < limit, "took {:?}", start.elapsed());
    within(workload.ended()).await;
    drop(workload);
    let (output, notes) = log.read().await;
    assert_eq!(output, "up\n");
    assert!(notes.iter().all(|n| !n.contains("removed")), "{notes:?}");
    within(
        fixture
            .executor
            .remove(&request.id, Some(request.epoch), Duration::ZERO),
    )
    .await
    .expect("is removed again");
}

#[tokio::test]
async fn a_command_that_cannot_run_is_refused_with_a_message() {
    for fixture in fixtures().await {
        let mut bad = spec("true");
        bad.command = vec!["/no/such/program".to_owned()];
        let (request, _lease) = request(bad);
        let log = Log::new();
        let exit = match fixture.executor.start(&request, &log.sink).await {
            Ok(mut workload) => end(&mut workload).await.1.expect("ends"),
            Err(ExecutorError::Refused(exit)) => exit,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(exit.reason, RunReason::ConfigError, "{}", exit.message);
        assert!(
            exit.message.contains("/no/such/program"),
            "{}",
            exit.message
        );
        within(fixture.executor.remove(&request.id, None, Duration::ZERO))
            .await
            .expect("is removed");
    }
}

#[tokio::test]
async fn a_workload_that_does_not_exist_is_not_adopted() {
    for fixture in fixtures().await {
        let (mut request, _lease) = request(spec("true"));
        request.epoch = Epoch(2);
        let log = Log::new();
        assert!(
            fixture
                .executor
                .adopt(&request, &log.sink)
                .await
                .expect("looks")
                .is_none()
        );
    }
}

#[tokio::test]
async fn a_workload_that_is_started_twice_runs_once() {
    for fixture in fixtures().await {
        let (request, _lease) = request(spec("echo up; sleep 60"));
        let (log, other) = (Log::new(), Log::new());
        let mut first = fixture
            .executor
            .start(&request, &log.sink)
            .await
            .expect("starts");
        running(&mut first).await;
        drop(first);
        let mut second = fixture
            .executor
            .start(&request, &other.sink)
            .await
            .expect("starts");
        running(&mut second).await;
        let left = fixture.executor.leftovers().await.expect("lists");
        assert_eq!(
            left.iter()
                .filter(|t| t.run_id == request.id.run_id)
                .count(),
            1
        );
        within(
            fixture
                .executor
                .remove(&request.id, Some(request.epoch), Duration::ZERO),
        )
        .await
        .expect("is removed");
        assert!(!matches!(
            within(second.watch()).await,
            WorkloadEvent::Running
        ));
    }
}
