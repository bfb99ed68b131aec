//! Storing new deliveries.
use std::collections::{HashMap, HashSet};

use ck8s_types::{DeliveryId, RunId};

use super::{
    super::{deliveries, delivery_keys, waiting},
    world,
};
use crate::domain::{
    delivery::{DeliveryState, NewDelivery},
    missing_delivery::Arrival,
};

#[tokio::test]
async fn a_batch_stores_each_key_once() {
    let world = world().await;
    let rows = [
        world.delivery("a", DeliveryState::RunCreated),
        world.delivery("a", DeliveryState::RunCreated),
        world.delivery("b", DeliveryState::Ignored),
    ];
    let (ids, stored) = world.insert(&rows).await;
    assert_eq!(stored.len(), 2);
    assert!(stored.contains(&ids[2]) && stored.contains(&ids[0]) != stored.contains(&ids[1]));
    let (again, stored) = world
        .insert(&[
            world.delivery("b", DeliveryState::Ignored),
            world.delivery("c", DeliveryState::RunCreated),
        ])
        .await;
    assert_eq!(stored, HashSet::from([again[1]]));
    assert_eq!(
        (
            world.count("deliveries").await,
            world.count("delivery_keys").await
        ),
        (3, 3)
    );

    let mut conn = world.pool.acquire().await.expect("a connection");
    let ignored = deliveries::get(&mut conn, ids[2])
        .await
        .expect("read")
        .expect("there");
    assert_eq!(
        (ignored.state, ignored.reason.as_str()),
        (DeliveryState::Ignored, "no trigger")
    );
    assert!(ignored.handled_at.is_some() && ignored.size_bytes == 2);
    let with_key = deliveries::with_key(&mut conn, "b", 10).await;
    assert_eq!(with_key.expect("read"), [(ids[2], Some(world.project))]);
    let with_key = deliveries::with_key(&mut conn, "z", 10).await;
    assert_eq!(with_key.expect("read"), []);
}

#[tokio::test]
async fn a_key_that_one_repository_used_is_free_for_every_other() {
    let world = world().await;
    let other = world.another_repository().await;
    let ours = world.delivery("a", DeliveryState::RunCreated);
    let theirs = NewDelivery {
        repository_id: Some(other),
        ..ours.clone()
    };
    let of_none = NewDelivery {
        repository_id: None,
        state: DeliveryState::Ignored,
        ..ours.clone()
    };
    let all = [ours, theirs, of_none];
    let (ids, stored) = world.insert(&all).await;
    assert_eq!(stored, HashSet::from_iter(ids.iter().copied()));
    let runs: HashSet<RunId> = ids.iter().map(|id| RunId::of_delivery(*id)).collect();
    assert_eq!(runs.len(), 3, "each has a run of its own");
    let (_, stored) = world.insert(&all).await;
    assert_eq!(stored, HashSet::new(), "and each counts once");

    let mut conn = world.pool.acquire().await.expect("a connection");
    world.settle(ids[1], DeliveryState::Failed, None).await;
    for (repository, arrival) in [
        (world.repository, Arrival::Arrived),
        (other, Arrival::Failed),
    ] {
        let arrivals = delivery_keys::arrivals(&mut conn, repository, &["a", "b"]).await;
        let expected = HashMap::from([("a".to_owned(), arrival)]);
        assert_eq!(arrivals.expect("read"), expected);
    }
    let keys: Vec<_> = all.iter().map(NewDelivery::delivery_key).collect();
    let revived = waiting::revive_failed(&mut conn, &keys).await;
    assert_eq!(revived.expect("revived"), [(ids[1], Some(world.project))]);
}

#[tokio::test]
async fn what_an_older_program_stored_has_arrived() {
    let world = world().await;
    let (_, stored) = world
        .insert(&[world.delivery("a", DeliveryState::Ignored)])
        .await;
    assert_eq!(stored.len(), 1);
    let mut conn = world.pool.acquire().await.expect("a connection");
    sqlx::query("UPDATE ingress.delivery_keys SET repository_id = DEFAULT")
        .execute(&mut *conn)
        .await
        .expect("as an older program writes it");
    let arrivals = delivery_keys::arrivals(&mut conn, world.repository, &["a"]).await;
    assert_eq!(arrivals.expect("read").len(), 1);
}

#[tokio::test]
async fn concurrent_batches_store_each_key_once() {
    let world = world().await;
    let rows: Vec<NewDelivery> = (0..50)
        .map(|n| world.delivery(&format!("k{n:02}"), DeliveryState::RunCreated))
        .collect();
    let stored = futures::future::join_all((0..6).map(|_| world.insert(&rows))).await;
    assert_eq!(
        stored.iter().map(|(_, stored)| stored.len()).sum::<usize>(),
        50
    );
    assert_eq!(world.count("deliveries").await, 50);
}

#[tokio::test]
async fn a_bad_row_fails_its_statement_and_nothing_else() {
    let world = world().await;
    let mut bad = world.delivery("bad", DeliveryState::RunCreated);
    bad.sender = "a\0b".to_owned();
    let mut conn = world.pool.acquire().await.expect("a connection");
    let good = world.delivery("good", DeliveryState::RunCreated);
    let rows = [(DeliveryId::new(), &bad), (DeliveryId::new(), &good)];
    assert!(deliveries::insert(&mut conn, &rows).await.is_err());
    assert_eq!(
        (
            world.count("deliveries").await,
            world.count("delivery_keys").await
        ),
        (0, 0)
    );
    deliveries::insert(&mut conn, &rows[1..])
        .await
        .expect("the good one alone");
}
