//! The calls ListDeliveries, GetDelivery and ReplayDelivery.
mod world;

use ck8s_proto::ingress::v1::{
    Delivery, DeliveryState, GetDeliveryRequest, ListDeliveriesRequest, ReplayDeliveryRequest,
};
use tonic::Code;
use tonic_types::StatusExt;
use world::{World, webhook};

impl World {
    async fn list(&self, request: ListDeliveriesRequest) -> Result<(Vec<Delivery>, String), Code> {
        let answer = self
            .client
            .clone()
            .list_deliveries(request)
            .await
            .map_err(|status| status.code())?;
        let page = answer.into_inner();
        Ok((page.deliveries, page.next_page_token))
    }

    async fn get(&self, delivery: &str) -> Result<(Delivery, Vec<u8>), Code> {
        let request = GetDeliveryRequest {
            delivery: delivery.to_owned(),
        };
        let answer = self
            .client
            .clone()
            .get_delivery(request)
            .await
            .map_err(|status| status.code())?;
        let answer = answer.into_inner();
        Ok((answer.delivery.expect("a delivery"), answer.payload))
    }

    async fn replay(&self, request_id: &str, delivery: &str) -> Result<Delivery, Code> {
        let request = ReplayDeliveryRequest {
            request_id: request_id.to_owned(),
            delivery: delivery.to_owned(),
        };
        let answer = self
            .client
            .clone()
            .replay_delivery(request)
            .await
            .map_err(|status| status.code())?;
        Ok(answer.into_inner().delivery.expect("a delivery"))
    }
}

#[tokio::test]
async fn a_delivery_is_found_by_either_id_with_its_exact_body() {
    let world = World::new().await;
    let body = b"{ \"action\" : \"member_added\", \"sender\":{\"login\":\"mona\"}, \"odd\": \"\\u00e9 \xc3\xa9\" }";
    world.ingest(vec![webhook("theirs", body)]).await;
    let (delivery, payload) = world.get("theirs").await.expect("found");
    assert_eq!(payload, body);
    assert_eq!(delivery.state(), DeliveryState::Ignored);
    assert_eq!(
        delivery.reason,
        "an event without a repository: nothing can trigger"
    );
    assert_eq!(
        (delivery.event.as_str(), delivery.action.as_str()),
        ("organization", "member_added")
    );
    assert_eq!(
        (delivery.sender.as_str(), delivery.size_bytes),
        ("mona", body.len() as i64)
    );
    assert!(delivery.receive_time.is_some() && delivery.handle_time.is_some());
    assert_eq!(world.get(&delivery.id).await.expect("found").0, delivery);
    for unknown in ["", "other", "01a205fd-0a2c-7591-a308-83eae31a54a2", "a\0b"] {
        assert_eq!(
            world.get(unknown).await.err(),
            Some(Code::NotFound),
            "{unknown:?}"
        );
    }
}

#[tokio::test]
async fn pages_follow_each_other_newest_first() {
    let world = World::new().await;
    for n in 0..5 {
        world.ingest(vec![webhook(&n.to_string(), b"{}")]).await;
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListDeliveriesRequest {
            page_size: 2,
            page_token: token,
            ..Default::default()
        };
        let (page, next) = world.list(request).await.expect("a page");
        seen.extend(page.into_iter().map(|d| d.delivery_id));
        if next.is_empty() {
            break;
        }
        token = next;
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0"]);
    let mut failed = ListDeliveriesRequest::default();
    failed.set_state(DeliveryState::Failed);
    assert_eq!(world.list(failed).await, Ok((Vec::new(), String::new())));
    for bad in [
        ListDeliveriesRequest {
            page_size: -1,
            ..Default::default()
        },
        ListDeliveriesRequest {
            page_token: "x".to_owned(),
            ..Default::default()
        },
        ListDeliveriesRequest {
            project_id: "x".to_owned(),
            ..Default::default()
        },
    ] {
        assert_eq!(world.list(bad).await, Err(Code::InvalidArgument));
    }
}

#[tokio::test]
async fn a_replay_handles_the_delivery_again_and_a_repeated_call_does_not() {
    let world = World::new().await;
    world.ingest(vec![webhook("theirs", b"{}")]).await;
    let first = world.get("theirs").await.expect("found").0;
    let request = "01a205fd-0a2c-7591-a308-83eae31a54a2";
    let replayed = world.replay(request, "theirs").await.expect("replayed");
    assert_eq!(
        (replayed.state(), &replayed.reason),
        (DeliveryState::Ignored, &first.reason)
    );
    assert_ne!(replayed.handle_time, first.handle_time);
    assert_eq!(
        world
            .replay(request, "theirs")
            .await
            .expect("the same answer"),
        replayed
    );
    assert_eq!(
        world
            .count("SELECT count(*) FROM audit.flow_events WHERE kind = 'delivery.replayed'")
            .await,
        1
    );
    assert_eq!(world.replay("", "theirs").await, Err(Code::InvalidArgument));
    assert_eq!(
        world
            .replay("01a205fd-0a2c-7591-a308-83eae31a54a3", "other")
            .await,
        Err(Code::NotFound)
    );
}

#[tokio::test]
async fn a_request_id_that_replayed_one_delivery_replays_no_other() {
    let world = World::new().await;
    world
        .ingest(["one", "other"].map(|id| webhook(id, b"{}")).to_vec())
        .await;
    let request_id = "01a205fd-0a2c-7591-a308-83eae31a54a2";
    world.replay(request_id, "one").await.expect("replayed");
    let request = ReplayDeliveryRequest {
        request_id: request_id.to_owned(),
        delivery: "other".to_owned(),
    };
    let refused = world.client.clone().replay_delivery(request).await;
    let refused = refused.expect_err("the id was used for another delivery");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let info = refused.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(info.reason, "REQUEST_ID_REUSED");
    let replays = "SELECT count(*) FROM audit.flow_events WHERE kind = 'delivery.replayed'";
    assert_eq!(world.count(replays).await, 1);
}
