//! Transitions.
use ck8s_types::Epoch;

use super::*;
use crate::domain::LeasePhase;

async fn say_running(world: &World, holder: &LeaseHolder, adopted: bool) -> Vec<LeaseRef> {
    let running = store::transitions::RunningWorkload {
        holder,
        workload: "job-1",
        adopted,
    };
    let mut conn = world.conn().await;
    store::transitions::running(&mut conn, &[running])
        .await
        .unwrap()
}

async fn say_finished(world: &World, holder: &LeaseHolder, outcome: &Outcome) -> Vec<LeaseRef> {
    let mut conn = world.conn().await;
    store::transitions::finished(&mut conn, &[(holder, outcome)])
        .await
        .unwrap()
}

#[tokio::test]
async fn a_run_goes_from_pending_to_running_to_its_end_and_frees_its_slot() {
    let world = world().await;
    let run = world.new_run();
    let lease = world.lease(&run, 2).await;
    let holder = holder(&lease);
    assert_eq!(say_running(&world, &holder, false).await, [lease.lease]);
    let running = world.run(run.id).await;
    assert_eq!(running.state, RunState::Running);
    assert_eq!(running.workload, "job-1");
    assert!(running.started_at.is_some());

    let end = outcome(RunState::Failed, RunReason::AgentError);
    assert_eq!(say_finished(&world, &holder, &end).await, [lease.lease]);
    let finished = world.run(run.id).await;
    assert_eq!(finished.state, RunState::Failed);
    assert_eq!(finished.reason, Some(RunReason::AgentError));
    assert_eq!(finished.exit_code, Some(0));
    assert_eq!(world.leases().await[0].phase, LeasePhase::Releasing);

    let mut conn = world.conn().await;
    let freed = store::transitions::released(&mut conn, &[&holder])
        .await
        .unwrap();
    assert_eq!(freed[0].slot, slot(2));
    assert!(world.leases().await.is_empty());
    let kinds = [
        "run.created",
        "run.leased",
        "run.running",
        "run.finished",
        "run.released",
    ];
    assert_eq!(world.events(run.id).await, kinds);
}

#[tokio::test]
async fn a_stale_epoch_changes_nothing() {
    let world = world().await;
    let run = world.new_run();
    let lease = world.lease(&run, 1).await;
    let stale = LeaseHolder {
        lease: LeaseRef {
            epoch: Epoch(0),
            ..lease.lease
        },
        worker: lease.worker.clone(),
    };
    let before = world.events(run.id).await;
    let end = outcome(RunState::Succeeded, RunReason::Completed);
    assert!(say_running(&world, &stale, false).await.is_empty());
    assert!(say_finished(&world, &stale, &end).await.is_empty());
    let mut conn = world.conn().await;
    let freed = store::transitions::released(&mut conn, &[&stale])
        .await
        .unwrap();
    assert!(freed.is_empty());
    let held = store::transitions::still_held(&mut conn, &[&stale])
        .await
        .unwrap();
    assert!(held.is_empty());
    assert_eq!(world.run(run.id).await.state, RunState::Pending);
    assert_eq!(world.events(run.id).await, before);
    assert_eq!(world.leases().await[0].phase, LeasePhase::Starting);
}

#[tokio::test]
async fn another_workers_message_changes_nothing() {
    let world = world().await;
    let run = world.new_run();
    let lease = world.lease(&run, 1).await;
    let stranger = LeaseHolder {
        lease: lease.lease,
        worker: worker("w2"),
    };
    let end = outcome(RunState::Succeeded, RunReason::Completed);
    assert!(say_running(&world, &stranger, false).await.is_empty());
    assert!(say_finished(&world, &stranger, &end).await.is_empty());
    assert_eq!(world.run(run.id).await.state, RunState::Pending);
}

#[tokio::test]
async fn a_terminal_state_is_final() {
    let world = world().await;
    let lease = world.releasing(1).await;
    let run = lease.lease.run_id;
    let again = outcome(RunState::Failed, RunReason::AgentError);
    let repeated = say_finished(&world, &holder(&lease), &again).await;
    assert!(repeated.is_empty(), "it was not leased any more");
    assert_eq!(world.run(run).await.state, RunState::Succeeded);
    let revived =
        sqlx::query("UPDATE runs.runs SET state = 'running', reason = NULL, finished_at = NULL")
            .execute(&world.owner)
            .await;
    let error = revived.unwrap_err().into_database_error().unwrap();
    assert_eq!(error.constraint(), Some("runs_terminal_is_final"));
}

#[tokio::test]
async fn a_repeated_running_is_recorded_once() {
    let world = world().await;
    let lease = world.running(1).await;
    let holder = holder(&lease);
    assert_eq!(say_running(&world, &holder, false).await, [lease.lease]);
    assert_eq!(say_running(&world, &holder, true).await, [lease.lease]);
    assert_eq!(say_running(&world, &holder, true).await, [lease.lease]);
    let kinds = world.events(lease.lease.run_id).await;
    assert_eq!(kinds.iter().filter(|k| *k == "run.running").count(), 1);
    assert_eq!(kinds.iter().filter(|k| *k == "run.adopted").count(), 1);
}

#[tokio::test]
async fn a_lease_is_not_released_before_its_run_has_ended() {
    let world = world().await;
    let lease = world.running(1).await;
    let mut conn = world.conn().await;
    let freed = store::transitions::released(&mut conn, &[&holder(&lease)])
        .await
        .unwrap();
    assert!(freed.is_empty());
    assert_eq!(world.leases().await.len(), 1);
}

#[tokio::test]
async fn a_holder_still_holds_a_lease_that_is_releasing() {
    let world = world().await;
    let lease = world.releasing(1).await;
    let mut conn = world.conn().await;
    let held = store::transitions::still_held(&mut conn, &[&holder(&lease)])
        .await
        .unwrap();
    assert_eq!(held, [lease.lease]);
}

#[tokio::test]
async fn one_statement_takes_messages_about_many_runs() {
    let world = world().await;
    let leases = [world.running(1).await, world.running(2).await];
    let holders = leases.each_ref().map(holder);
    let end = outcome(RunState::Succeeded, RunReason::Completed);
    let items = holders.each_ref().map(|holder| (holder, &end));
    let mut conn = world.conn().await;
    let mut matched = store::transitions::finished(&mut conn, &items)
        .await
        .unwrap();
    matched.sort();
    assert_eq!(run_ids(&matched), leases.each_ref().map(|l| l.lease.run_id));
}
