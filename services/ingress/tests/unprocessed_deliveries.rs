//! Repair: stored deliveries that were not handled are handled after a crash, and when the provider sends them again.
mod world;

use ck8s_proto::ingress::v1::DeliveryState;
use world::{World, webhook};

#[tokio::test]
async fn deliveries_that_a_crash_left_are_handled_on_start() {
    let world = World::new().await;
    world
        .ingest((0..150).map(|n| webhook(&n.to_string(), b"{}")).collect())
        .await;
    world
        .tamper("INSERT INTO ingress.waiting SELECT id FROM ingress.deliveries")
        .await;
    let _replica = world.another().await;
    for n in [0, 100, 149] {
        let delivery = world.settled(&n.to_string(), DeliveryState::Ignored).await;
        assert_eq!(
            delivery.reason,
            "an event without a repository: nothing can trigger"
        );
    }
}

#[tokio::test]
async fn an_unreadable_delivery_fails_and_holds_up_no_other() {
    let world = World::new().await;
    world
        .ingest(["a", "b", "c"].map(|id| webhook(id, b"{}")).to_vec())
        .await;
    world
        .tamper("INSERT INTO ingress.waiting SELECT id FROM ingress.deliveries")
        .await;
    world
        .tamper("UPDATE ingress.deliveries SET payload = 'garbage' WHERE delivery_key = 'a'")
        .await;
    world
        .tamper("UPDATE ingress.deliveries SET payload = '\\xffffffff00' WHERE delivery_key = 'b'")
        .await;
    let _replica = world.another().await;
    for id in ["a", "b"] {
        let failed = world.settled(id, DeliveryState::Failed).await;
        assert!(
            failed
                .reason
                .starts_with("the stored payload cannot be read"),
            "{}",
            failed.reason
        );
    }
    world.settled("c", DeliveryState::Ignored).await;
    assert_eq!(
        world
            .count("SELECT count(*) FROM audit.flow_events WHERE kind = 'delivery.failed'")
            .await,
        2
    );
}

#[tokio::test]
async fn a_failed_delivery_is_handled_when_it_is_sent_again() {
    let world = World::new().await;
    let id = || vec![webhook("a", b"{}")];
    world.ingest(id()).await;
    world
        .tamper("UPDATE ingress.deliveries SET state = 'failed', reason = 'made up'")
        .await;
    assert_eq!(world.ingest(id()).await[0].1, "DUPLICATE");
    world.settled("a", DeliveryState::Ignored).await;
    assert_eq!(
        world
            .count("SELECT count(*) FROM audit.flow_events WHERE kind = 'delivery.replayed'")
            .await,
        1
    );
    // It is handled now: sent again, it stays as it is.
    assert_eq!(world.ingest(id()).await[0].1, "DUPLICATE");
    assert_eq!(
        world.count("SELECT count(*) FROM audit.flow_events").await,
        1
    );
}

#[tokio::test]
async fn a_delivery_that_needs_an_unavailable_service_waits() {
    let world = World::new().await;
    world
        .ingest(["a", "b"].map(|id| webhook(id, b"{}")).to_vec())
        .await;
    // A body that names a repository: LZ4 of {"repository":{"id":1}}, stored as it is.
    world
        .tamper(
            "UPDATE ingress.deliveries SET payload = '\\x17000000f0087b227265706f7369746f7279223a7b226964223a317d7d' WHERE delivery_key = 'a'",
        )
        .await;
    world
        .tamper("INSERT INTO ingress.waiting SELECT id FROM ingress.deliveries")
        .await;
    let _replica = world.another().await;
    world.settled("b", DeliveryState::Ignored).await;
    world.settled("a", DeliveryState::Received).await;
}
