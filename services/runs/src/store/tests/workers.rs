//! Workers.
use super::*;
use crate::domain::WorkerState;

#[tokio::test]
async fn only_the_same_process_with_live_leases_resumes_its_stream() {
    let world = world().await;
    let (first, restarted) = (hello("w1"), hello("w1"));
    assert!(!world.connect(&first, TTL).await.resumed, "it is new");
    assert!(world.connect(&first, TTL).await.resumed);
    assert!(!world.connect(&restarted, EXPIRED).await.resumed);
    let late = world.connect(&restarted, TTL).await;
    assert!(!late.resumed, "its leases had expired");
}

#[tokio::test]
async fn a_heartbeat_renews_only_where_the_stream_is() {
    let world = world().await;
    let hello = hello("w1");
    let before = world.connect(&hello, TTL).await.lease_until;
    let mut conn = world.conn().await;
    let own = [(&hello.id, hello.instance)];
    let renewed = store::workers::renew(&mut conn, world.replica, &own, 2.0 * TTL)
        .await
        .unwrap();
    assert_eq!(renewed[0].0, hello.id);
    assert!(renewed[0].1 > before);
    let elsewhere = store::workers::renew(&mut conn, ReplicaId::new(), &own, TTL).await;
    assert!(elsewhere.unwrap().is_empty(), "another replica's stream");
    let other = [(&hello.id, InstanceId::new())];
    let other = store::workers::renew(&mut conn, world.replica, &other, TTL).await;
    assert!(other.unwrap().is_empty(), "another process");
}

#[tokio::test]
async fn a_worker_without_a_heartbeat_in_time_is_expired_at_its_replica() {
    let world = world().await;
    world.connect(&hello("late"), EXPIRED).await;
    world.connect(&hello("well"), TTL).await;
    let mut conn = world.conn().await;
    let ids = [worker("late"), worker("well")];
    let expired = store::workers::expired(&mut conn, &ids, world.replica).await;
    assert_eq!(expired.unwrap(), [worker("late")]);
    let elsewhere = store::workers::expired(&mut conn, &ids, ReplicaId::new()).await;
    assert!(elsewhere.unwrap().is_empty());
}

#[tokio::test]
async fn a_worker_is_connected_draining_or_disconnected() {
    let world = world().await;
    let hello = hello("w1");
    world.connect(&hello, TTL).await;
    let mut conn = world.conn().await;
    let state = async |conn: &mut PgConnection| {
        let found = store::workers::get(conn, &worker("w1")).await.unwrap();
        found.expect("it has connected").state
    };
    assert_eq!(state(&mut conn).await, WorkerState::Connected);
    let known = store::workers::set_draining(&mut conn, &hello.id, true).await;
    assert!(known.unwrap());
    assert_eq!(state(&mut conn).await, WorkerState::Draining);
    let draining = store::workers::draining(&mut conn, std::slice::from_ref(&hello.id)).await;
    assert_eq!(draining.unwrap(), [worker("w1")]);
    assert!(
        world.connect(&hello, TTL).await.draining,
        "it stays so over a new stream"
    );
    store::workers::disconnect(&mut conn, &hello.id, hello.instance, world.replica)
        .await
        .unwrap();
    assert_eq!(state(&mut conn).await, WorkerState::Disconnected);
    let unknown = store::workers::set_draining(&mut conn, &worker("w9"), true).await;
    assert!(!unknown.unwrap());
}

#[tokio::test]
async fn the_end_of_an_old_stream_does_not_disconnect_the_new_one() {
    let world = world().await;
    let (old, new) = (hello("w1"), hello("w1"));
    world.connect(&old, TTL).await;
    world.connect(&new, TTL).await;
    let mut conn = world.conn().await;
    store::workers::disconnect(&mut conn, &old.id, old.instance, world.replica)
        .await
        .unwrap();
    let found = store::workers::get(&mut conn, &old.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.state, WorkerState::Connected);
    assert_eq!(found.instance, new.instance);
}

#[tokio::test]
async fn workers_are_listed_in_pages_with_the_number_of_their_leases() {
    let world = world().await;
    world.lease(&world.new_run(), 1).await;
    world.connect(&hello("w2"), TTL).await;
    let mut conn = world.conn().await;
    store::workers::set_capacity(&mut conn, &worker("w2"), 3)
        .await
        .unwrap();
    let first = store::workers::list(&mut conn, None, 1).await.unwrap();
    assert_eq!(first[0].id, worker("w1"));
    assert_eq!((first[0].leases, first[0].capacity), (1, 10));
    let rest = store::workers::list(&mut conn, Some(&worker("w1")), 9)
        .await
        .unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!((rest[0].leases, rest[0].capacity), (0, 3));
}

#[tokio::test]
async fn workers_that_are_long_gone_are_removed_unless_a_lease_names_them() {
    let world = world().await;
    world.lease(&world.new_run(), 1).await;
    for name in ["w2", "w3"] {
        world.connect(&hello(name), TTL).await;
    }
    world
        .change("UPDATE runs.workers SET seen_at = now() - interval '40 days', lease_until = now() - interval '40 days' WHERE id <> 'w3'")
        .await;
    let mut conn = world.conn().await;
    assert_eq!(store::workers::remove_gone(&mut conn, 30).await.unwrap(), 1);
    let left = store::workers::list(&mut conn, None, 10).await.unwrap();
    let left: Vec<&str> = left.iter().map(|w| w.id.as_str()).collect();
    assert_eq!(left, ["w1", "w3"]);
}

#[tokio::test]
async fn sets_of_labels_that_nobody_uses_are_removed() {
    let world = world().await;
    world.queue(&world.new_run()).await;
    let mut conn = world.conn().await;
    let labels = |name: &str| vec![name.to_owned()];
    let unused = store::label_pools::ensure(&mut conn, &labels("unused"))
        .await
        .unwrap();
    let used = store::label_pools::ensure(&mut conn, &labels("used"))
        .await
        .unwrap();
    world
        .change("UPDATE runs.pools SET used_at = now() - interval '40 days'")
        .await;
    let again = store::label_pools::ensure(&mut conn, &labels("used"))
        .await
        .unwrap();
    assert_eq!(again, used);
    let removed = store::label_pools::remove_unused(&mut conn, 30)
        .await
        .unwrap();
    assert_eq!(removed, [unused], "a run waits for the one without labels");
}
