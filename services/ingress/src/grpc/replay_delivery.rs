//! ReplayDelivery.
use ck8s_proto::ingress::v1::{ReplayDeliveryRequest, ReplayDeliveryResponse};
use ck8s_rpc::convert::id;
use tonic::Status;

use crate::{convert, service::Inbox};

pub(super) async fn call(
    inbox: &Inbox,
    request: ReplayDeliveryRequest,
    actor: String,
) -> Result<ReplayDeliveryResponse, Status> {
    let request_id = id("request_id", &request.request_id)?;
    let delivery = inbox.replay(request_id, &request.delivery, actor).await?;
    Ok(ReplayDeliveryResponse {
        delivery: Some(convert::delivery(delivery)),
    })
}
