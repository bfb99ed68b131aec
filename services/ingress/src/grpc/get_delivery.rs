//! GetDelivery.
use ck8s_proto::ingress::v1::{GetDeliveryRequest, GetDeliveryResponse};
use tonic::Status;

use crate::{convert, service::Inbox};

pub(super) async fn call(
    inbox: &Inbox,
    request: GetDeliveryRequest,
) -> Result<GetDeliveryResponse, Status> {
    let (delivery, payload) = inbox.get(&request.delivery).await?;
    Ok(GetDeliveryResponse {
        delivery: Some(convert::delivery(delivery)),
        payload,
    })
}
