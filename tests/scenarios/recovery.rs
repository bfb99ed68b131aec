//! Deliveries that GitHub could not make are found when the server is back, made again, and shown.
use std::collections::HashSet;

use ck8s_proto::ingress::v1::DeliveryState;
use ck8s_tests::until;

use crate::repositories::{add, issue, scene};

#[tokio::test(flavor = "multi_thread")]
async fn every_delivery_of_a_downtime_is_there_after_the_start() {
    let (github, mut world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    world.server.program.kill();
    for nr in 0..50 {
        let mut payload = issue(501, "acme/one");
        if nr % 5 > 0 {
            payload["action"] = "opened".into();
        }
        assert_eq!(github.emit(501, "issues", &payload).await, [0]);
    }
    let missed: HashSet<String> = github.world().repository(501).hooks[0]
        .attempts
        .iter()
        .filter(|attempt| attempt.event == "issues")
        .map(|attempt| attempt.guid.clone())
        .collect();
    assert_eq!(missed.len(), 50);
    world.restart().await;
    // GitHub wants a second between two requests for a delivery.
    let mut arrived = Vec::new();
    for enough in [15, 30, 50] {
        arrived = until(
            "they are there, each with its run or its reason",
            async || {
                let all = world.admin.all_deliveries().await;
                let handled =
                    |state| state == DeliveryState::RunCreated || state == DeliveryState::Ignored;
                let these: Vec<_> = all
                    .into_iter()
                    .filter(|d| missed.contains(&d.delivery_id) && handled(d.state()))
                    .collect();
                (these.len() >= enough).then_some(these)
            },
        )
        .await;
    }
    assert_eq!(arrived.len(), 50, "nothing twice");
    let ran = arrived.iter().filter(|d| !d.run_id.is_empty());
    let runs: HashSet<&str> = ran.map(|d| d.run_id.as_str()).collect();
    assert_eq!(runs.len(), 10, "each its own run");
    let ignored = arrived.iter().filter(|d| d.run_id.is_empty());
    assert!(ignored.clone().all(|d| !d.reason.is_empty()));
    assert_eq!(ignored.count(), 40);
    let count = async |kind: &str| -> i64 {
        let counts = "SELECT coalesce(sum((data ->> 'count')::bigint), 0)::bigint FROM audit.flow_events WHERE kind = $1";
        sqlx::query_scalar(counts)
            .bind(kind)
            .fetch_one(&world.owner)
            .await
            .unwrap()
    };
    assert_eq!(count("delivery.missed").await, 50, "each once");
    until("all arrivals are reported", async || {
        (count("delivery.recovered").await == 50).then_some(())
    })
    .await;
}
