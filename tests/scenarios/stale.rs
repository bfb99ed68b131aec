//! Stale leases: a worker that was silent for longer than its lease changes nothing, and its workload is gone.
use std::time::Duration;

use ck8s_proto::runs::v1::{
    AppendLogRequest, LogAppend, LogChunk, LogStream, OpenRunSecretsRequest, RunReason, RunState,
};
use ck8s_tests::{
    ManualWorker, Setup, TransitionOutcome, World,
    manual_worker::{hello, lease, released, running, succeeded},
    program::lives,
    script, until,
};
use nix::sys::signal::Signal;

fn pid_of(workload: &str) -> i32 {
    workload
        .strip_prefix("process:")
        .expect("a process")
        .parse()
        .expect("its number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_stopped_for_longer_than_its_lease_changes_nothing() {
    let world = World::start(Setup::without_worker().short_leases()).await;
    world.admin.project("acme", 1).await;
    let first = world.worker("first", &world.ready.url, &[]).await;
    let run = world
        .admin
        .start(
            "acme",
            script("echo attempt; while [ ! -e ../go ]; do sleep 0.05; done; echo done"),
        )
        .await;
    let run = world.admin.wait_running(&run.id).await;
    assert_eq!(run.worker_id, "first");
    let old = pid_of(&run.workload);
    assert!(lives(old));
    let second = world.worker("second", &world.ready.url, &[]).await;

    first.program.signal(Signal::SIGSTOP);
    let run = world
        .admin
        .wait(&run.id, "its second attempt runs", |r| {
            r.attempt == 2 && r.worker_id == "second" && !r.workload.is_empty()
        })
        .await;
    assert!(
        !lives(old),
        "the workload of the stopped worker is gone before the next one starts"
    );
    std::fs::write(world.dir.path().join("work-second/go"), "").unwrap();
    let ended = world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    world.idle().await;
    let events = world.admin.events(&run.id).await;

    first.program.signal(Signal::SIGCONT);
    // The worker takes part again. Once it has run something, it has sent all that it had to say.
    drop(second);
    let other = world.admin.start("acme", script("true")).await;
    let other = world
        .admin
        .ends(&other.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!(other.worker_id, "first");
    assert_eq!(world.admin.run(&run.id).await, ended, "nothing has changed");
    assert_eq!(
        world.admin.events(&run.id).await,
        events,
        "nothing was recorded"
    );
    assert!(!lives(old));
    assert_eq!(world.admin.log(&run.id).await, "attempt\ndone\n");
    until("the directory of the old workload is swept", async || {
        (!world.dir.path().join("work-first").join(&run.id).exists()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stale_epoch_is_refused_by_every_call() {
    let world = World::start(Setup::without_worker().short_leases()).await;
    world.admin.project("acme", 1).await;
    let api = world.as_worker();
    let mut away = ManualWorker::connect(&api, hello("away", 4)).await;
    let run = world.admin.start("acme", script("true")).await;
    let old = lease(&away.grant().await).clone();
    away.tell(&old, running()).await;
    // Its heartbeats stop, its stream stays open: the next attempt must go to a live worker, though this one seems to
    // have more room.
    away.fall_silent();
    let mut here = ManualWorker::connect(&api, hello("here", 1)).await;
    let grant = here.grant_of(&run.id).await;
    assert!(lease(&grant).epoch > old.epoch);
    here.tell(lease(&grant), running()).await;
    let events = world.admin.events(&run.id).await;

    // The server has closed the silent stream, or told the worker on it. On a new stream it tells the worker in any
    // case.
    let mut same = away.hello.clone();
    same.leases = vec![old.clone()];
    drop(away);
    let mut away = ManualWorker::connect(&api, same).await;
    assert_eq!(away.revoked(&old).await, "STALE_EPOCH");
    for change in [running(), succeeded(), released()] {
        let is_release = matches!(
            change,
            ck8s_proto::runs::v1::transition::Change::Released(_)
        );
        let told = away.tell(&old, change).await;
        assert!(is_release || told == TransitionOutcome::Revoked, "{told:?}");
    }
    let append = LogAppend {
        lease: Some(old.clone()),
        chunk: Some(LogChunk {
            data: b"late\n".to_vec().into(),
            stream: LogStream::Output.into(),
            attempt: 1,
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = api
        .leases()
        .append_log(AppendLogRequest {
            appends: vec![append],
        })
        .await;
    match answer {
        Ok(answer) => assert!(answer.get_ref().results[0].stale),
        Err(status) => assert_eq!(status.code(), tonic::Code::Aborted),
    }
    let secrets = api
        .leases()
        .open_run_secrets(OpenRunSecretsRequest { lease: Some(old) })
        .await;
    assert_eq!(secrets.err().map(|s| s.code()), Some(tonic::Code::Aborted));

    let now = world.admin.run(&run.id).await;
    assert_eq!(
        (now.state(), now.worker_id.as_str(), now.attempt),
        (RunState::Running, "here", 2)
    );
    assert_eq!(world.admin.events(&run.id).await, events);
    assert_eq!(world.admin.log(&run.id).await, "");
    for change in [succeeded(), released()] {
        here.tell(lease(&grant), change).await;
    }
    world.idle().await;
}

#[tokio::test]
async fn a_worker_that_falls_silent_gets_no_more_work() {
    let world = World::start(Setup::without_worker().short_leases()).await;
    world.admin.project("acme", 4).await;
    let api = world.as_worker();
    let mut silent = ManualWorker::connect(&api, hello("silent", 100)).await;
    silent.fall_silent();
    let mut alive = ManualWorker::connect(&api, hello("alive", 4)).await;
    until("the silent worker counts as disconnected", async || {
        let workers = world.admin.workers().await;
        workers
            .iter()
            .any(|w| {
                w.id == "silent" && w.state() == ck8s_proto::runs::v1::WorkerState::Disconnected
            })
            .then_some(())
    })
    .await;
    // The server's sweep comes every second and ends the stream.
    tokio::time::timeout(Duration::from_secs(5), silent.closed())
        .await
        .expect("its stream is ended");
    for _ in 0..4 {
        let run = world.admin.start("acme", script("true")).await;
        let grant = alive.grant_of(&run.id).await;
        alive.work_off(&grant).await;
    }
}
