//! Slots.
use super::*;

const DEFAULT_SLOTS: i32 = 4;

#[tokio::test]
async fn a_project_has_the_default_number_of_slots_until_somebody_sets_it() {
    let world = world().await;
    let mut conn = world.conn().await;
    let count = store::slots::count(&mut conn, world.project, DEFAULT_SLOTS).await;
    assert_eq!(count.unwrap(), DEFAULT_SLOTS);
    for number in [7, 2] {
        store::slots::set(&mut conn, world.project, number)
            .await
            .unwrap();
        let count = store::slots::count(&mut conn, world.project, DEFAULT_SLOTS).await;
        assert_eq!(count.unwrap(), number);
    }
}

#[tokio::test]
async fn a_slot_is_free_unless_a_live_lease_is_on_it() {
    let world = world().await;
    world.lease(&world.new_run(), 2).await;
    world.releasing(3).await;
    let mut conn = world.conn().await;
    let free = store::slots::free(&mut conn, &[world.project], DEFAULT_SLOTS)
        .await
        .unwrap();
    assert_eq!(free[0].project, world.project);
    assert_eq!(free[0].count, DEFAULT_SLOTS);
    let mut numbers = free[0].free.clone();
    numbers.sort();
    assert_eq!(numbers, [slot(1), slot(4)]);
}

#[tokio::test]
async fn slots_are_listed_in_pages_with_their_leases() {
    let world = world().await;
    let lease = world.releasing(2).await;
    let mut conn = world.conn().await;
    let projects = [world.project];
    let first = store::slots::list(&mut conn, &projects, 3, None, 2)
        .await
        .unwrap();
    let numbers: Vec<Slot> = first.iter().map(|s| s.slot).collect();
    assert_eq!(numbers, [slot(1), slot(2)]);
    assert!(first[0].lease.is_none());
    let held = first[1].lease.as_ref().expect("it is leased");
    assert_eq!(held.lease, lease.lease);
    assert_eq!(held.worker, Some(worker("w1")));
    assert!(held.is_releasing);
    assert!(held.lease_until.is_some());
    let after = Some((world.project, slot(2)));
    let rest = store::slots::list(&mut conn, &projects, 3, after, 2)
        .await
        .unwrap();
    let numbers: Vec<Slot> = rest.iter().map(|s| s.slot).collect();
    assert_eq!(numbers, [slot(3)]);
}

#[tokio::test]
async fn a_leased_slot_above_the_number_that_is_set_is_still_listed() {
    let world = world().await;
    world.lease(&world.new_run(), 9).await;
    let mut conn = world.conn().await;
    store::slots::set(&mut conn, world.project, 1)
        .await
        .unwrap();
    let all = store::slots::list(&mut conn, &[world.project], 1, None, 10)
        .await
        .unwrap();
    let numbers: Vec<Slot> = all.iter().map(|s| s.slot).collect();
    assert_eq!(numbers, [slot(1), slot(9)]);
}

#[tokio::test]
async fn projects_whose_number_of_slots_is_another_one_are_found() {
    let world = world().await;
    let mut conn = world.conn().await;
    let other = ProjectId::new();
    world.add_project(other, "other").await;
    store::slots::set(&mut conn, world.project, 2)
        .await
        .unwrap();
    let known = [(world.project, 2), (other, DEFAULT_SLOTS)];
    let changed = store::slots::differing(&mut conn, &known, DEFAULT_SLOTS).await;
    assert!(changed.unwrap().is_empty());
    let known = [(world.project, 3), (other, 1)];
    let changed = store::slots::differing(&mut conn, &known, DEFAULT_SLOTS).await;
    assert_eq!(changed.unwrap(), [world.project, other]);
}
