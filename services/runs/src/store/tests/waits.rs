//! What a run waits for.
use super::*;

#[tokio::test]
async fn a_waiting_run_knows_how_many_go_before_it() {
    let world = world().await;
    let (first, mut urgent, run) = (world.new_run(), world.new_run(), world.new_run());
    urgent.spec.priority = 9;
    for new in [&first, &run, &urgent] {
        world.queue(new).await;
    }
    let mut conn = world.conn().await;
    let entry = store::waits::queue_entry(&mut conn, run.id).await.unwrap();
    let entry = entry.expect("it waits");
    assert_eq!(
        (entry.project, entry.ahead, entry.ready),
        (world.project, 2, true)
    );
    let ahead = store::waits::ahead(&mut conn, run.id, 10).await.unwrap();
    assert_eq!(ahead, [urgent.id, first.id]);
    let lease = world.lease(&world.new_run(), 1).await;
    let leased = store::waits::queue_entry(&mut conn, lease.lease.run_id).await;
    assert!(leased.unwrap().is_none(), "it has its lease");
}

#[tokio::test]
async fn a_run_of_a_group_knows_which_of_its_runs_go_first() {
    let world = world().await;
    let held = world.lease(&world.grouped_run("deploy"), 1).await;
    let (before, run) = (world.grouped_run("deploy"), world.grouped_run("deploy"));
    world.insert_waiting(&before, false).await;
    world.insert_waiting(&run, false).await;
    let mut conn = world.conn().await;
    let found = store::waits::group_before(&mut conn, run.id, world.project, "deploy").await;
    assert_eq!(found.unwrap(), [held.lease.run_id, before.id]);
}

#[tokio::test]
async fn only_connected_workers_with_all_labels_are_suitable() {
    let world = world().await;
    let mut gpu = hello("gpu");
    gpu.labels = vec!["arm".to_owned(), "gpu".to_owned()];
    world.connect(&gpu, TTL).await;
    world.lease(&world.new_run(), 1).await;
    world.connect(&hello("late"), EXPIRED).await;
    let mut conn = world.conn().await;
    let any = store::waits::suitable_workers(&mut conn, &[])
        .await
        .unwrap();
    assert_eq!((any.connected, any.taking_work), (2, 2));
    assert_eq!((any.capacity, any.leases), (20, 1));
    let labels = ["gpu".to_owned()];
    let with_label = store::waits::suitable_workers(&mut conn, &labels)
        .await
        .unwrap();
    assert_eq!((with_label.connected, with_label.capacity), (1, 10));
    store::workers::set_draining(&mut conn, &gpu.id, true)
        .await
        .unwrap();
    let draining = store::waits::suitable_workers(&mut conn, &labels)
        .await
        .unwrap();
    assert_eq!((draining.connected, draining.taking_work), (1, 0));
}
