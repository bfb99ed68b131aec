//! Deliveries that wait: their outcomes, replays, and what is read of them.
use ck8s_db::request_ids::{Claim, RequestError, RequestKey};
use ck8s_types::{RequestId, RunId};
use uuid::Uuid;

use super::{
    super::{deliveries, delivery_keys, request_ids::REQUESTS, waiting},
    world,
};
use crate::domain::{delivery::DeliveryState, stored_body};

#[tokio::test]
async fn an_outcome_is_written_once() {
    let world = world().await;
    let (ids, _) = world
        .insert(&[world.delivery("a", DeliveryState::RunCreated)])
        .await;
    let run = RunId::of_delivery(ids[0]);
    assert_eq!(world.state(ids[0]).await, DeliveryState::Received);
    assert_eq!(
        world
            .settle(ids[0], DeliveryState::RunCreated, Some(run))
            .await,
        ids
    );
    assert!(
        world
            .settle(ids[0], DeliveryState::Failed, None)
            .await
            .is_empty()
    );
    let mut conn = world.pool.acquire().await.expect("a connection");
    let delivery = deliveries::get(&mut conn, ids[0])
        .await
        .expect("read")
        .expect("there");
    assert_eq!(
        (delivery.state, delivery.run_ids),
        (DeliveryState::RunCreated, vec![run])
    );
    assert!(
        waiting::settle(&mut conn, &[])
            .await
            .expect("nothing")
            .is_empty()
    );
}

#[tokio::test]
async fn only_failed_deliveries_wait_again_when_they_are_sent_again() {
    let world = world().await;
    let rows =
        ["failed", "made", "waits"].map(|key| world.delivery(key, DeliveryState::RunCreated));
    let (ids, _) = world.insert(&rows).await;
    world.settle(ids[0], DeliveryState::Failed, None).await;
    world
        .settle(ids[1], DeliveryState::RunCreated, Some(RunId::new()))
        .await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    let keys = ["failed", "made", "waits", "unknown"];
    let keys = keys.map(|key| world.delivery(key, DeliveryState::Failed).delivery_key());
    let revived = waiting::revive_failed(&mut conn, &keys)
        .await
        .expect("revived");
    assert_eq!(revived, [(ids[0], Some(world.project))]);
    assert_eq!(world.state(ids[0]).await, DeliveryState::Received);
    assert_eq!(world.state(ids[1]).await, DeliveryState::RunCreated);
}

#[tokio::test]
async fn waiting_deliveries_are_read_in_order_with_their_bodies() {
    let world = world().await;
    let rows = ["a", "b", "c"].map(|key| world.delivery(key, DeliveryState::RunCreated));
    let (ids, _) = world.insert(&rows).await;
    world.settle(ids[1], DeliveryState::Ignored, None).await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    let (nil, max) = (Uuid::nil().into(), Uuid::max().into());
    assert_eq!(
        waiting::ids(&mut conn, nil, max, 10).await.expect("read"),
        [ids[0], ids[2]]
    );
    assert_eq!(
        waiting::ids(&mut conn, ids[0], max, 10)
            .await
            .expect("read"),
        [ids[2]]
    );
    assert_eq!(
        waiting::ids(&mut conn, nil, ids[2], 10)
            .await
            .expect("read"),
        [ids[0]]
    );
    let loaded = waiting::load(&mut conn, &ids, 1_000).await.expect("read");
    assert_eq!(
        loaded.iter().map(|w| w.id).collect::<Vec<_>>(),
        [ids[0], ids[2]]
    );
    let first = waiting::load(&mut conn, &ids, 1).await.expect("read");
    assert_eq!(first.iter().map(|w| w.id).collect::<Vec<_>>(), [ids[0]]);
    assert_eq!(
        stored_body::decompress(&loaded[0].payload).as_deref(),
        Ok(&b"{}"[..])
    );
}

#[tokio::test]
async fn a_replay_reopens_ignored_deliveries_and_takes_its_request_once() {
    let world = world().await;
    let (ids, _) = world
        .insert(&[
            world.delivery("a", DeliveryState::Ignored),
            world.delivery("b", DeliveryState::RunCreated),
        ])
        .await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    assert!(waiting::reopen(&mut conn, ids[0]).await.expect("opened"));
    assert!(
        !waiting::reopen(&mut conn, ids[0])
            .await
            .expect("open already")
    );
    assert!(
        !waiting::reopen(&mut conn, ids[1])
            .await
            .expect("open already")
    );
    let key = RequestKey::new(RequestId::new(), "M", b"content");
    let claim = REQUESTS.claim(&mut conn, &key).await.expect("claimed");
    assert_eq!(claim, Claim::First);
    REQUESTS
        .answer(&mut conn, &key, b"x")
        .await
        .expect("answered");
    let claim = REQUESTS.claim(&mut conn, &key).await.expect("claimed");
    assert_eq!(claim, Claim::Answered(b"x".to_vec()));
    let other = RequestKey::new(key.id, "Other", b"content");
    let reused = REQUESTS.claim(&mut conn, &other).await;
    assert!(matches!(reused, Err(RequestError::Reused(id)) if id == key.id));
    assert_eq!(REQUESTS.sweep(&mut conn).await.expect("swept"), 0);
    assert_eq!(
        delivery_keys::delete_old(&mut conn).await.expect("deleted"),
        0
    );
}

#[tokio::test]
async fn a_delivery_that_creates_its_own_run_only_stops_waiting() {
    let world = world().await;
    let rows = ["a", "b"].map(|key| world.delivery(key, DeliveryState::RunCreated));
    let (ids, _) = world.insert(&rows).await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    let waiting_delivery = deliveries::get(&mut conn, ids[0])
        .await
        .expect("read")
        .expect("there");
    assert_eq!(
        (
            waiting_delivery.state,
            waiting_delivery.run_ids,
            waiting_delivery.handled_at
        ),
        (DeliveryState::Received, vec![], None)
    );
    waiting::finish(&mut conn, &ids[..1])
        .await
        .expect("finished");
    let finished = deliveries::get(&mut conn, ids[0])
        .await
        .expect("read")
        .expect("there");
    assert_eq!(
        (finished.state, finished.run_ids),
        (DeliveryState::RunCreated, vec![RunId::of_delivery(ids[0])])
    );
    assert!(finished.handled_at.is_some());
    assert_eq!(world.state(ids[1]).await, DeliveryState::Received);
    assert!(
        world
            .settle(ids[0], DeliveryState::Failed, None)
            .await
            .is_empty()
    );
}
