//! The method `ListHookDeliveries`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{convert::timestamp, page};
use tonic::{Request, Status};

use crate::{convert, service::Repositories};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::ListHookDeliveriesRequest>,
) -> Result<pb::ListHookDeliveriesResponse, Status> {
    let after = page::decode("page_token", &request.into_inner().page_token)?;
    let Some(page) = repositories.hook_deliveries(after).await? else {
        return Ok(pb::ListHookDeliveriesResponse::default());
    };
    let (until, deliveries) = match page.listed {
        Some(listed) => (Some(timestamp(listed.until)), listed.deliveries),
        None => (None, Vec::new()),
    };
    Ok(pb::ListHookDeliveriesResponse {
        repository_id: page.repository.to_string(),
        until,
        deliveries: deliveries.into_iter().map(convert::hook_delivery).collect(),
        next_page_token: page::encode(&page.repository),
    })
}
