//! The call GetDelivery.
use ck8s_proto::ingress::v1::{GetDeliveryRequest, GetDeliveryResponse};
use ck8s_rpc::project_access;
use tonic::{Request, Status};

use crate::{convert, service::deliveries::Deliveries};

pub(super) async fn call(
    deliveries: &Deliveries,
    request: &Request<GetDeliveryRequest>,
) -> Result<GetDeliveryResponse, Status> {
    let name = &request.get_ref().delivery;
    let (delivery, payload) = deliveries.get(&project_access::of(request), name).await?;
    Ok(GetDeliveryResponse {
        delivery: Some(convert::delivery_to_pb(delivery)),
        payload,
    })
}
