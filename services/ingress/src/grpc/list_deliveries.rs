//! ListDeliveries.
use ck8s_proto::ingress::v1::{ListDeliveriesRequest, ListDeliveriesResponse};
use ck8s_rpc::{
    access::{self, Access, Scope},
    convert::optional_id,
    page, status,
};
use tonic::{Request, Status};

use crate::{convert, service::Inbox, store::deliveries::Filter};

pub(super) async fn call(
    inbox: &Inbox,
    request: &Request<ListDeliveriesRequest>,
) -> Result<ListDeliveriesResponse, Status> {
    let access = access::of(request);
    let request = request.get_ref();
    let filter = Filter {
        scope: scope(&access, &request.project_id)?,
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

/// The project that is named, or all that the caller may see.
fn scope(access: &Access, project_id: &str) -> Result<Scope, Status> {
    match optional_id("project_id", project_id)? {
        None => Ok(access.scope()),
        Some(project) => {
            access.project(project, || status::not_found("project", project))?;
            Ok(Scope::Projects(vec![project]))
        }
    }
}
