//! Concurrency groups.
use super::*;

#[tokio::test]
async fn a_group_is_busy_while_one_of_its_runs_waits_or_holds_a_slot() {
    let world = world().await;
    let mut conn = world.conn().await;
    let is_busy = store::groups::is_busy(&mut conn, world.project, "deploy");
    assert!(!is_busy.await.unwrap());
    let lease = world.lease(&world.grouped_run("deploy"), 1).await;
    let is_busy = store::groups::is_busy(&mut conn, world.project, "deploy");
    assert!(is_busy.await.unwrap());
    let elsewhere = store::groups::is_busy(&mut conn, world.project, "test");
    assert!(!elsewhere.await.unwrap());
    let members = store::groups::members(&mut conn, world.project, "deploy").await;
    assert_eq!(members.unwrap(), [lease.lease.run_id]);
}

#[tokio::test]
async fn a_run_that_is_being_released_is_no_member_and_keeps_its_group_busy() {
    let world = world().await;
    let lease = world.lease(&world.grouped_run("deploy"), 1).await;
    let end = outcome(RunState::Succeeded, RunReason::Completed);
    let mut conn = world.conn().await;
    store::transitions::finished(&mut conn, &[(&holder(&lease), &end)])
        .await
        .unwrap();
    let members = store::groups::members(&mut conn, world.project, "deploy").await;
    assert!(members.unwrap().is_empty());
    let is_busy = store::groups::is_busy(&mut conn, world.project, "deploy").await;
    assert!(is_busy.unwrap());
    let promoted = store::groups::promote(&mut conn, world.project, "deploy").await;
    assert!(promoted.unwrap().is_none());
}

#[tokio::test]
async fn the_next_run_of_a_group_is_made_ready_when_the_slot_is_free() {
    let world = world().await;
    let held = world.lease(&world.grouped_run("deploy"), 1).await;
    let (next, last) = (world.grouped_run("deploy"), world.grouped_run("deploy"));
    let queued = world.insert_waiting(&next, false).await;
    world.insert_waiting(&last, false).await;
    let mut conn = world.conn().await;
    let early = store::groups::promote(&mut conn, world.project, "deploy").await;
    assert!(early.unwrap().is_none(), "the slot is held");

    let end = outcome(RunState::Succeeded, RunReason::Completed);
    let holder = holder(&held);
    store::transitions::finished(&mut conn, &[(&holder, &end)])
        .await
        .unwrap();
    let freed = store::transitions::released(&mut conn, &[&holder])
        .await
        .unwrap();
    assert_eq!(freed[0].group.as_deref(), Some("deploy"));
    let stuck = store::groups::stuck(&mut conn).await.unwrap();
    assert_eq!(stuck, [(world.project, "deploy".to_owned())]);
    let promoted = store::groups::promote(&mut conn, world.project, "deploy").await;
    assert_eq!(promoted.unwrap().map(|r| r.position), Some(queued.position));
    let again = store::groups::promote(&mut conn, world.project, "deploy").await;
    assert!(again.unwrap().is_none(), "one at a time");
    assert!(store::groups::stuck(&mut conn).await.unwrap().is_empty());
    let claim = world
        .claim(vec![placement(1, "w1"), placement(2, "w1")])
        .await;
    let claimed: Vec<RunId> = claim.leases.iter().map(|l| l.lease.run_id).collect();
    assert_eq!(claimed, [next.id]);
}

#[tokio::test]
async fn a_group_is_entered_by_one_transaction_at_a_time() {
    let world = world().await;
    let mut first = world.pool.begin().await.unwrap();
    store::groups::lock(&mut first, world.project, "deploy")
        .await
        .unwrap();
    let mut other_group = world.pool.begin().await.unwrap();
    store::groups::lock(&mut other_group, world.project, "test")
        .await
        .unwrap();
    let mut second = world.pool.begin().await.unwrap();
    let waiting = store::groups::lock(&mut second, world.project, "deploy");
    tokio::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
    assert!(early.is_err(), "the group is locked");
    first.commit().await.unwrap();
    waiting.await.unwrap();
}
