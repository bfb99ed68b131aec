//! New runs.
use super::*;

#[tokio::test]
async fn a_run_without_a_placement_waits() {
    let world = world().await;
    let run = world.new_run();
    let queued = world.queue(&run).await;
    assert_eq!(queued.lane, world.lane());
    let stored = world.run(run.id).await;
    assert_eq!(stored.state, RunState::Pending);
    assert_eq!(
        (stored.attempt, stored.slot, stored.worker),
        (1, None, None)
    );
    assert_eq!(world.events(run.id).await, ["run.created"]);
}

#[tokio::test]
async fn a_run_with_a_placement_is_leased_at_once() {
    let world = world().await;
    let run = world.new_run();
    let lease = world.lease(&run, 3).await;
    assert_eq!(lease.slot, slot(3));
    assert_eq!(lease.lease.epoch.0, 1);
    let stored = world.run(run.id).await;
    assert_eq!(stored.slot, Some(slot(3)));
    assert_eq!(stored.worker, Some(worker("w1")));
    assert_eq!(world.events(run.id).await, ["run.created", "run.leased"]);
    let mut conn = world.conn().await;
    assert!(
        store::claim::ready_lanes(&mut conn)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_run_whose_slot_is_taken_waits_instead() {
    let world = world().await;
    world.lease(&world.new_run(), 1).await;
    let run = world.new_run();
    let mut conn = world.conn().await;
    let one = std::slice::from_ref(&run);
    let inserted = store::new_runs::insert(&mut conn, one, &[Some(placement(1, "w1"))], true)
        .await
        .unwrap();
    assert!(inserted.leases.is_empty());
    assert_eq!(inserted.queued.len(), 1);
    assert_eq!(world.events(run.id).await, ["run.created"]);
}

#[tokio::test]
async fn making_a_run_twice_makes_it_once() {
    let world = world().await;
    let run = world.new_run();
    world.queue(&run).await;
    let mut conn = world.conn().await;
    let one = std::slice::from_ref(&run);
    let again = store::new_runs::insert(&mut conn, one, &[None], true)
        .await
        .unwrap();
    assert!(again.queued.is_empty() && again.leases.is_empty());
    assert_eq!(world.events(run.id).await, ["run.created"]);
}

#[tokio::test]
async fn a_nul_character_in_a_trigger_does_not_stop_its_run() {
    let world = world().await;
    let mut run = world.new_run();
    run.trigger.title = "a\0b".to_owned();
    // What somebody wrote with a backslash is no NUL character.
    run.trigger.arguments = "\\u0000".to_owned();
    run.trigger.url = "c\\\\u0000\0".to_owned();
    world.queue(&run).await;
    let trigger = world.run(run.id).await.trigger;
    assert_eq!(trigger.title, "ab");
    assert_eq!(trigger.arguments, "\\u0000");
    assert_eq!(trigger.url, "c\\\\u0000");
}

#[tokio::test]
async fn replicas_that_make_the_same_runs_wait_for_each_other_in_one_order() {
    let world = world().await;
    let (first, second) = (world.new_run(), world.new_run());
    let mut one = world.pool.begin().await.unwrap();
    store::new_runs::insert(&mut one, std::slice::from_ref(&first), &[None], true)
        .await
        .unwrap();
    // Another replica makes both, the second one first.
    let both = [second.clone(), first];
    let mut two = world.conn().await;
    let other =
        tokio::spawn(
            async move { store::new_runs::insert(&mut two, &both, &[None, None], true).await },
        );
    world.somebody_waits().await;
    let made = store::new_runs::insert(&mut one, &[second], &[None], true).await;
    assert_eq!(made.unwrap().queued.len(), 1);
    one.commit().await.unwrap();
    assert!(other.await.unwrap().unwrap().queued.is_empty());
}
