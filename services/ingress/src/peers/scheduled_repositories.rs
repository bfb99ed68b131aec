//! Lists the repositories that may have a schedule, through the repositories service.
use ck8s_proto::repositories::v1::{
    ListScheduledRepositoriesRequest, repositories_service_client::RepositoriesServiceClient,
};
use ck8s_rpc::mesh::Channel;

use super::unavailable::repositories_unavailable;
use crate::domain::unavailable::ServiceUnavailable;

/// Bounds a page; the contract sets it.
const PAGE_SIZE: i32 = 1_000;

/// The client; a clone is the same client.
#[derive(Clone)]
pub(crate) struct ScheduledRepositories {
    client: RepositoriesServiceClient<Channel>,
}

impl ScheduledRepositories {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            client: RepositoriesServiceClient::new(channel),
        }
    }

    /// Returns a page of the provider's ids, and the token of the next page; empty: there is none.
    pub(crate) async fn page(
        &self,
        page_token: String,
    ) -> Result<(Vec<u64>, String), ServiceUnavailable> {
        let request = ListScheduledRepositoriesRequest {
            page_size: PAGE_SIZE,
            page_token,
        };
        let mut client = self.client.clone();
        let page = client.list_scheduled_repositories(request).await;
        let page = page.map_err(|s| repositories_unavailable(&s))?;
        let page = page.into_inner();
        let ids = page.external_ids.iter().filter_map(|id| id.parse().ok());
        let mut ids: Vec<u64> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        Ok((ids, page.next_page_token))
    }
}
