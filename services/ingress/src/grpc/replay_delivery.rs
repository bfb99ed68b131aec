//! The call ReplayDelivery.
use ck8s_db::request_ids::RequestKey;
use ck8s_proto::ingress::v1::{ReplayDeliveryRequest, ReplayDeliveryResponse};
use ck8s_rpc::{caller::caller, convert::id, project_access};
use prost::Message;
use tonic::{Request, Status};

use crate::{
    convert,
    service::{deliveries::Deliveries, replay_delivery::ReplayRequest},
};

pub(super) async fn call(
    deliveries: &Deliveries,
    request: &Request<ReplayDeliveryRequest>,
) -> Result<ReplayDeliveryResponse, Status> {
    let message = request.get_ref();
    let request_id = id("request_id", &message.request_id)?;
    let replay = ReplayRequest {
        delivery: message.delivery.clone(),
        access: project_access::of(request),
        actor: caller(request).actor(),
        key: RequestKey::new(request_id, "ReplayDelivery", &message.encode_to_vec()),
    };
    let delivery = deliveries.replay(replay).await?;
    Ok(ReplayDeliveryResponse {
        delivery: Some(convert::delivery_to_pb(delivery)),
    })
}
