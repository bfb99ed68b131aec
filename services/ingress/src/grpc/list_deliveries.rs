//! The call ListDeliveries.
use ck8s_proto::ingress::v1::{ListDeliveriesRequest, ListDeliveriesResponse};
use ck8s_rpc::{convert::optional_id, page, project_access};
use tonic::{Request, Status};

use crate::{convert, domain::delivery::DeliveryFilter, service::deliveries::Deliveries};

pub(super) async fn call(
    deliveries: &Deliveries,
    request: &Request<ListDeliveriesRequest>,
) -> Result<ListDeliveriesResponse, Status> {
    let access = project_access::of(request);
    let request = request.get_ref();
    let project = optional_id("project_id", &request.project_id)?;
    let filter = DeliveryFilter {
        scope: access.listed(project)?,
        repository_id: optional_id("repository_id", &request.repository_id)?,
        state: convert::state_filter_from_pb(request.state)?,
    };
    let size = page::size(request.page_size)?;
    let after = page::decode("page_token", &request.page_token)?;
    let page = deliveries.list(filter, after, size).await?;
    let next = page.next.map(|id| page::encode(&id));
    let deliveries = page.deliveries.into_iter();
    Ok(ListDeliveriesResponse {
        deliveries: deliveries.map(convert::delivery_to_pb).collect(),
        next_page_token: next.unwrap_or_default(),
    })
}
