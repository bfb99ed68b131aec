//! ReplayDelivery.
use ck8s_proto::ingress::v1::{ReplayDeliveryRequest, ReplayDeliveryResponse};
use ck8s_rpc::{access, caller::caller, convert::id};
use tonic::{Request, Status};

use crate::{
    convert,
    service::{Call, Inbox},
};

pub(super) async fn call(
    inbox: &Inbox,
    request: &Request<ReplayDeliveryRequest>,
) -> Result<ReplayDeliveryResponse, Status> {
    let call = Call {
        access: access::of(request),
        actor: caller(request).actor(),
        request: id("request_id", &request.get_ref().request_id)?,
    };
    let delivery = inbox.replay(call, &request.get_ref().delivery).await?;
    Ok(ReplayDeliveryResponse {
        delivery: Some(convert::delivery(delivery)),
    })
}
