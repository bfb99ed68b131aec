//! ListDeliveries.
use ck8s_proto::ingress::v1::{ListDeliveriesRequest, ListDeliveriesResponse};
use ck8s_rpc::{access, convert::optional_id, page};
use tonic::{Request, Status};

use crate::{convert, service::Inbox, store::deliveries::Filter};

pub(super) async fn call(
    inbox: &Inbox,
    request: &Request<ListDeliveriesRequest>,
) -> Result<ListDeliveriesResponse, Status> {
    let access = access::of(request);
    let request = request.get_ref();
    let project = optional_id("project_id", &request.project_id)?;
    let filter = Filter {
        scope: access.listed(project)?,
        repository_id: optional_id("repository_id", &request.repository_id)?,
        state: convert::state_from_pb(request.state()),
    };
    let size = page::size(request.page_size)?;
    let before = page::decode("page_token", &request.page_token)?;
    let mut deliveries = inbox.list(filter, before, size + 1).await?;
    let wanted = usize::try_from(size).unwrap_or(usize::MAX);
    let more = deliveries.len() > wanted;
    deliveries.truncate(wanted);
    let last = deliveries
        .last()
        .filter(|_| more)
        .map(|delivery| page::encode(&delivery.id));
    Ok(ListDeliveriesResponse {
        deliveries: deliveries.into_iter().map(convert::delivery).collect(),
        next_page_token: last.unwrap_or_default(),
    })
}
