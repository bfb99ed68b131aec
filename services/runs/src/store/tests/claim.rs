//! Claims.
use super::*;

fn claimed(claim: &ClaimResult) -> Vec<RunId> {
    claim.leases.iter().map(|l| l.lease.run_id).collect()
}

#[tokio::test]
async fn a_claim_leases_the_oldest_runs_first_and_only_as_many_as_it_has_placements() {
    let world = world().await;
    let runs = [world.new_run(), world.new_run(), world.new_run()];
    for run in &runs {
        world.queue(run).await;
    }
    let claim = world
        .claim(vec![placement(1, "w1"), placement(2, "w1")])
        .await;
    assert_eq!(claimed(&claim), [runs[0].id, runs[1].id]);
    assert!(claim.conflicts.is_empty());
    assert_eq!(
        world.events(runs[0].id).await,
        ["run.created", "run.leased"]
    );
    assert_eq!(world.events(runs[2].id).await, ["run.created"]);
    let rest = world.claim(vec![placement(3, "w1")]).await;
    assert_eq!(claimed(&rest), [runs[2].id], "a leased run waits no more");
}

#[tokio::test]
async fn a_higher_priority_goes_first() {
    let world = world().await;
    let (old, mut urgent) = (world.new_run(), world.new_run());
    urgent.spec.priority = 5;
    world.queue(&old).await;
    world.queue(&urgent).await;
    let claim = world.claim(vec![placement(1, "w1")]).await;
    assert_eq!(claimed(&claim), [urgent.id]);
}

#[tokio::test]
async fn a_slot_has_at_most_one_live_lease() {
    let world = world().await;
    world.lease(&world.new_run(), 1).await;
    let run = world.new_run();
    world.queue(&run).await;
    let claim = world.claim(vec![placement(1, "w2")]).await;
    assert!(claim.leases.is_empty());
    assert_eq!(claim.conflicts, [(world.lane(), slot(1))]);
    let later = world.claim(vec![placement(2, "w2")]).await;
    assert_eq!(claimed(&later), [run.id], "the run waits on");
}

#[tokio::test]
async fn a_claim_starts_behind_its_position() {
    let world = world().await;
    let (first, second) = (world.new_run(), world.new_run());
    let position = world.queue(&first).await.position;
    world.queue(&second).await;
    let claim = world.claim_after(position, vec![placement(1, "w1")]).await;
    assert_eq!(claimed(&claim), [second.id]);
}

#[tokio::test]
async fn a_run_that_another_replica_is_claiming_is_skipped() {
    let world = world().await;
    let (first, second) = (world.new_run(), world.new_run());
    world.queue(&first).await;
    world.queue(&second).await;
    let mut other = world.pool.begin().await.unwrap();
    let lane = LaneClaim {
        lane: world.lane(),
        after: QueuePosition::START,
        placements: vec![placement(1, "w1")],
    };
    let theirs = store::claim::claim(&mut other, &[lane]).await.unwrap();
    assert_eq!(claimed(&theirs), [first.id]);
    let ours = world.claim(vec![placement(2, "w2")]).await;
    assert_eq!(claimed(&ours), [second.id]);
    other.commit().await.unwrap();
}

#[tokio::test]
async fn a_run_that_is_not_ready_is_not_claimed() {
    let world = world().await;
    let run = world.grouped_run("deploy");
    world.insert_waiting(&run, false).await;
    let claim = world.claim(vec![placement(1, "w1")]).await;
    assert!(claim.leases.is_empty());
    let mut conn = world.conn().await;
    assert!(
        store::claim::ready_lanes(&mut conn)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn every_lane_with_a_ready_run_is_found_with_its_first_run() {
    let world = world().await;
    let first = world.queue(&world.new_run()).await;
    world.queue(&world.new_run()).await;
    let mut conn = world.conn().await;
    let labels = ["gpu".to_owned()];
    let mut elsewhere = world.new_run();
    elsewhere.pool = store::label_pools::ensure(&mut conn, &labels)
        .await
        .unwrap();
    let other = world.queue(&elsewhere).await;
    let found = store::claim::ready_lanes(&mut conn).await.unwrap();
    let found: Vec<_> = found.iter().map(|r| (r.lane, r.position)).collect();
    assert_eq!(
        found,
        [(first.lane, first.position), (other.lane, other.position)]
    );
}

#[tokio::test]
async fn a_set_of_labels_keeps_its_number() {
    let world = world().await;
    let mut conn = world.conn().await;
    let labels = ["arm".to_owned(), "gpu".to_owned()];
    let number = store::label_pools::ensure(&mut conn, &labels)
        .await
        .unwrap();
    assert_eq!(
        store::label_pools::ensure(&mut conn, &labels)
            .await
            .unwrap(),
        number
    );
    let all = store::label_pools::all(&mut conn).await.unwrap();
    assert!(all.contains(&(number, labels.to_vec())));
    assert!(all.contains(&(world.labels, Vec::new())));
}

#[tokio::test]
async fn replicas_that_want_the_same_slots_wait_for_each_other_in_one_order() {
    let world = world().await;
    for _ in 0..4 {
        world.queue(&world.new_run()).await;
    }
    let lane = |placements| LaneClaim {
        lane: world.lane(),
        after: QueuePosition::START,
        placements,
    };
    let mut one = world.pool.begin().await.unwrap();
    store::claim::claim(&mut one, &[lane(vec![placement(1, "w1")])])
        .await
        .unwrap();
    // Another replica wants slot 2 first, then slot 1.
    let both = lane(vec![placement(2, "w2"), placement(1, "w2")]);
    let mut two = world.conn().await;
    let other = tokio::spawn(async move { store::claim::claim(&mut two, &[both]).await });
    world.somebody_waits().await;
    let more = store::claim::claim(&mut one, &[lane(vec![placement(2, "w1")])]).await;
    assert_eq!(
        more.unwrap().leases.len(),
        1,
        "the other one does not hold slot 2"
    );
    one.commit().await.unwrap();
    let other = other.await.unwrap().unwrap();
    assert_eq!((other.leases.len(), other.conflicts.len()), (0, 2));
}
