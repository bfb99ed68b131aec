//! The call ReplayDelivery.
use ck8s_proto::ingress::v1::{ReplayDeliveryRequest, ReplayDeliveryResponse};
use ck8s_rpc::{access, caller::caller, convert::id};
use tonic::{Request, Status};

use crate::{
    convert,
    service::{deliveries::Deliveries, replay_delivery::ReplayRequest},
};

pub(super) async fn call(
    deliveries: &Deliveries,
    request: &Request<ReplayDeliveryRequest>,
) -> Result<ReplayDeliveryResponse, Status> {
    let replay = ReplayRequest {
        delivery: request.get_ref().delivery.clone(),
        access: access::of(request),
        actor: caller(request).actor(),
        request_id: id("request_id", &request.get_ref().request_id)?,
    };
    let delivery = deliveries.replay(replay).await?;
    Ok(ReplayDeliveryResponse {
        delivery: Some(convert::delivery_to_pb(delivery)),
    })
}
