//! The call IngestWebhook: each outcome has its code, and nothing that is rejected is stored.
mod world;

use ck8s_proto::ingress::v1::{IngestOutcome, IngestWebhookRequest, Webhook};
use futures::future::join_all;
use world::{World, webhook};

const DELIVERIES: &str = "SELECT count(*) FROM ingress.deliveries";

fn of(outcome: IngestOutcome, code: &str) -> (i32, String) {
    (outcome.into(), code.to_owned())
}

fn accepted() -> (i32, String) {
    of(IngestOutcome::Accepted, "ACCEPTED")
}

fn duplicate() -> (i32, String) {
    of(IngestOutcome::Duplicate, "DUPLICATE")
}

#[tokio::test]
async fn each_bad_webhook_has_its_code_and_hinders_no_other() {
    let world = World::new().await;
    let good = webhook("good", b"{\"action\":\"a\\u0000b\"}");
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{{\"x\":\"{}\"}}", "y".repeat(3_000_000));
    let unsigned = |body: &[u8]| Webhook {
        signature: String::new(),
        ..webhook("x", body)
    };
    let signed = |signature: &str| Webhook {
        signature: signature.to_owned(),
        ..webhook("x", b"{}")
    };
    let invalid = |code| of(IngestOutcome::Invalid, code);
    let refused = |code| of(IngestOutcome::Unauthenticated, code);
    let cut = good.signature[..good.signature.len() - 2].to_owned();
    let cases = [
        (
            Webhook {
                provider: "gitlab".to_owned(),
                ..good.clone()
            },
            invalid("PROVIDER_UNKNOWN"),
        ),
        (
            Webhook {
                event: String::new(),
                ..good.clone()
            },
            invalid("EVENT_MISSING"),
        ),
        (
            Webhook {
                event: "A b".to_owned(),
                ..good.clone()
            },
            invalid("EVENT_INVALID"),
        ),
        (webhook("", b"{}"), invalid("DELIVERY_ID_MISSING")),
        (
            webhook(&"x".repeat(10_000), b"{}"),
            invalid("DELIVERY_ID_INVALID"),
        ),
        (webhook("x", b""), invalid("BODY_NOT_JSON")),
        (webhook("x", b"hello"), invalid("BODY_NOT_JSON")),
        (webhook("x", b"[]"), invalid("BODY_NOT_JSON")),
        (webhook("x", deep.as_bytes()), invalid("BODY_NOT_JSON")),
        (unsigned(b"hello"), invalid("BODY_NOT_JSON")),
        (unsigned(b"{}"), refused("SIGNATURE_MISSING")),
        (
            signed("sha1=7d38cdd689735b008b3c702edd92eea23791c5f6"),
            refused("SIGNATURE_INVALID"),
        ),
        (signed("sha256=zz"), refused("SIGNATURE_INVALID")),
        (
            signed(&format!("sha256={}", "0".repeat(64))),
            refused("SIGNATURE_INVALID"),
        ),
        (signed(&cut), refused("SIGNATURE_INVALID")),
        (
            Webhook {
                body: b"{}".to_vec().into(),
                ..good.clone()
            },
            refused("SIGNATURE_INVALID"),
        ),
        (webhook("large", large.as_bytes()), accepted()),
        (good, accepted()),
    ];
    let (webhooks, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    assert_eq!(world.ingest(webhooks).await, expected);
    assert_eq!(world.count(DELIVERIES).await, 2);
    assert_eq!(
        world
            .count("SELECT count(*) FROM ingress.delivery_keys")
            .await,
        2
    );
}

#[tokio::test]
async fn a_webhook_that_cannot_be_verified_now_is_unavailable() {
    let world = World::new().await;
    let results = world
        .ingest(vec![
            webhook("a", b"{\"repository\":{\"id\":1}}"),
            webhook("b", b"{}"),
        ])
        .await;
    assert_eq!(
        results,
        [of(IngestOutcome::Unavailable, "UNAVAILABLE"), accepted()]
    );
    assert_eq!(world.count(DELIVERIES).await, 1);
}

#[tokio::test]
async fn a_delivery_is_accepted_once() {
    let world = World::new().await;
    let mut results = world
        .ingest(vec![
            webhook("a", b"{}"),
            webhook("a", b"{}"),
            webhook("b", b"{}"),
        ])
        .await;
    assert_eq!(results.pop(), Some(accepted()));
    results.sort();
    assert_eq!(results, [accepted(), duplicate()]);
    assert_eq!(world.ingest(vec![webhook("a", b"{}")]).await, [duplicate()]);

    let many = join_all((0..100).map(|_| world.ingest(vec![webhook("c", b"{}")]))).await;
    assert_eq!(many.iter().filter(|r| r[0] == accepted()).count(), 1);
    assert_eq!(many.iter().filter(|r| r[0] == duplicate()).count(), 99);
    assert_eq!(world.count(DELIVERIES).await, 3);
}

#[tokio::test]
async fn a_call_takes_1_to_500_webhooks() {
    let world = World::new().await;
    for count in [0, 501] {
        let webhooks = (0..count)
            .map(|n: i32| webhook(&n.to_string(), b"{}"))
            .collect();
        let answer = world
            .client
            .clone()
            .ingest_webhook(IngestWebhookRequest { webhooks })
            .await;
        assert_eq!(
            answer.expect_err("refused").code(),
            tonic::Code::InvalidArgument
        );
    }
    let webhooks = (0..500).map(|n| webhook(&n.to_string(), b"{}")).collect();
    assert_eq!(world.ingest(webhooks).await, vec![accepted(); 500]);
}

#[tokio::test]
async fn a_delivery_that_the_database_refuses_has_its_code() {
    let world = World::new().await;
    let owner = world.db.owner().await;
    sqlx::query(
        "ALTER TABLE ingress.deliveries ADD CONSTRAINT odd CHECK (delivery_key <> 'poison')",
    )
    .execute(&owner)
    .await
    .expect("altered");
    let results = world
        .ingest(["a", "poison", "b"].map(|id| webhook(id, b"{}")).to_vec())
        .await;
    assert_eq!(
        results,
        [
            accepted(),
            of(IngestOutcome::Invalid, "NOT_STORABLE"),
            accepted()
        ]
    );
    sqlx::query("REVOKE INSERT ON ingress.deliveries FROM ck8s_ingress")
        .execute(&owner)
        .await
        .expect("revoked");
    assert_eq!(
        world.ingest(vec![webhook("c", b"{}")]).await,
        [of(IngestOutcome::Unavailable, "UNAVAILABLE")]
    );
    sqlx::query("GRANT INSERT ON ingress.deliveries TO ck8s_ingress")
        .execute(&owner)
        .await
        .expect("granted");
    assert_eq!(world.ingest(vec![webhook("c", b"{}")]).await, [accepted()]);
}

#[tokio::test]
async fn a_lost_connection_is_replaced() {
    let world = World::new().await;
    assert_eq!(world.ingest(vec![webhook("a", b"{}")]).await, [accepted()]);
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    world.count(cut).await;
    // Every connection is lost, and the service does not know it yet.
    for id in ["b", "c", "d"] {
        assert_eq!(world.ingest(vec![webhook(id, b"{}")]).await, [accepted()]);
    }
    assert_eq!(world.count(DELIVERIES).await, 4);
}
