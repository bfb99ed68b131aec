//! What every executor must do; run against both.
mod common;

use std::time::{Duration, Instant};

use ck8s_types::{Epoch, RunReason, RunState};
use ck8s_worker::{Event, Order, StartError};
use common::{Bench, Log, all, end, order, running, spec, within};

#[tokio::test]
async fn output_and_exit_code_decide() {
    for bench in all().await {
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
            let (order, _lease) = order(spec(script));
            let log = Log::new();
            let mut workload = bench
                .executor
                .start(&order, &log.sink)
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
                bench
                    .executor
                    .remove(&order.target, Some(order.epoch), Duration::ZERO),
            )
            .await
            .expect("is removed");
            // A Job whose pods were removed stays on the books until the cluster's garbage collector has looked at it.
            within(async {
                loop {
                    let left = bench.executor.leftovers().await.expect("lists");
                    if left.iter().all(|t| t.run != order.target.run) {
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
    for bench in all().await {
        let (order, _lease) = order(spec("echo up; while :; do sleep 1; done"));
        removed_within(&bench, &order, Duration::from_secs(5)).await;
    }
}

/// A node gives a container 2 s at least, and looks every second.
#[tokio::test]
async fn a_removed_workload_is_gone_even_if_it_does_not_listen() {
    for bench in all().await {
        let (order, _lease) = order(spec("trap '' TERM; echo up; while :; do sleep 1; done"));
        removed_within(&bench, &order, Duration::from_secs(15)).await;
    }
}

async fn removed_within(bench: &Bench, order: &Order, limit: Duration) {
    let log = Log::new();
    let mut workload = bench
        .executor
        .start(order, &log.sink)
        .await
        .expect("starts");
    running(&mut workload).await;
    workload.expect_end();
    let start = Instant::now();
    within(
        bench
            .executor
            .remove(&order.target, Some(order.epoch), Duration::from_secs(1)),
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
        bench
            .executor
            .remove(&order.target, Some(order.epoch), Duration::ZERO),
    )
    .await
    .expect("is fine again");
}

#[tokio::test]
async fn what_cannot_run_is_refused_in_words() {
    for bench in all().await {
        let mut bad = spec("true");
        bad.command = vec!["/no/such/program".to_owned()];
        let (order, _lease) = order(bad);
        let log = Log::new();
        let exit = match bench.executor.start(&order, &log.sink).await {
            Ok(mut workload) => end(&mut workload).await.1.expect("ends"),
            Err(StartError::Refused(exit)) => exit,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(exit.reason, RunReason::ConfigError, "{}", exit.message);
        assert!(
            exit.message.contains("/no/such/program"),
            "{}",
            exit.message
        );
        within(bench.executor.remove(&order.target, None, Duration::ZERO))
            .await
            .expect("is removed");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_adopted() {
    for bench in all().await {
        let (mut order, _lease) = order(spec("true"));
        order.epoch = Epoch(2);
        let log = Log::new();
        assert!(
            bench
                .executor
                .adopt(&order, &log.sink)
                .await
                .expect("looks")
                .is_none()
        );
    }
}

#[tokio::test]
async fn started_twice_there_is_one_workload() {
    for bench in all().await {
        let (order, _lease) = order(spec("echo up; sleep 60"));
        let (log, other) = (Log::new(), Log::new());
        let mut first = bench
            .executor
            .start(&order, &log.sink)
            .await
            .expect("starts");
        running(&mut first).await;
        drop(first);
        let mut second = bench
            .executor
            .start(&order, &other.sink)
            .await
            .expect("starts");
        running(&mut second).await;
        let left = bench.executor.leftovers().await.expect("lists");
        assert_eq!(left.iter().filter(|t| t.run == order.target.run).count(), 1);
        within(
            bench
                .executor
                .remove(&order.target, Some(order.epoch), Duration::ZERO),
        )
        .await
        .expect("is removed");
        assert!(!matches!(within(second.watch()).await, Event::Running));
    }
}
