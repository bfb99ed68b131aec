//! Storing new deliveries.
use std::collections::HashSet;

use ck8s_types::DeliveryId;

use super::{super::deliveries, world};
use crate::domain::delivery::{DeliveryState, NewDelivery};

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
    assert_eq!(
        deliveries::id_of_key(&mut conn, "b").await.expect("read"),
        Some(ids[2])
    );
    assert_eq!(
        deliveries::id_of_key(&mut conn, "z").await.expect("read"),
        None
    );
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
