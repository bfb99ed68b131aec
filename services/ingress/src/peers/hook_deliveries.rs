//! What the hooks of repositories tried to deliver, as their providers list it, and the request to deliver again.
use std::time::Duration;

use ck8s_proto::repositories::v1::{
    GetRepositoryRequest, ListHookDeliveriesRequest,
    repositories_service_client::RepositoriesServiceClient,
};
use ck8s_rpc::mesh::Channel;
use ck8s_types::{ProjectId, RepositoryId};
use tonic::Code;

use super::unavailable::repositories_unavailable;
use crate::{
    convert,
    domain::{
        hook_delivery::{HookLogPage, Redelivery, RefusedRedelivery},
        unavailable::ServiceUnavailable,
    },
};

/// Bounds the calls in which a provider pages through the deliveries of a hook, or makes them again one by one.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(60);

/// The client; a clone is the same client.
#[derive(Clone)]
pub(crate) struct HookDeliveries {
    repositories: RepositoriesServiceClient<Channel>,
    /// For calls that take the provider's time.
    provider: RepositoriesServiceClient<Channel>,
}

impl HookDeliveries {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            repositories: RepositoriesServiceClient::new(channel.clone())
                .max_decoding_message_size(ck8s_rpc::mesh::MAX_MESSAGE_BYTES),
            provider: RepositoriesServiceClient::new(channel.with_timeout(PROVIDER_TIMEOUT))
                .max_decoding_message_size(ck8s_rpc::mesh::MAX_MESSAGE_BYTES),
        }
    }

    /// Lists the deliveries of the next repository's hook.
    pub(crate) async fn list(&self, page_token: String) -> Result<HookLogPage, ServiceUnavailable> {
        let request = ListHookDeliveriesRequest { page_token };
        let page = self.provider.clone().list_hook_deliveries(request).await;
        let page = page.map_err(|s| repositories_unavailable(&s))?;
        convert::hook_log_page(page.into_inner()).map_err(ServiceUnavailable::repositories)
    }

    /// Has the provider deliver again. Returns the attempts that it does not repeat now.
    pub(crate) async fn redeliver(
        &self,
        redelivery: Redelivery,
    ) -> Result<Vec<RefusedRedelivery>, ServiceUnavailable> {
        let request = convert::redeliver_request(redelivery);
        let answer = self
            .provider
            .clone()
            .redeliver_hook_deliveries(request)
            .await;
        let answer = answer.map_err(|s| repositories_unavailable(&s))?;
        Ok(convert::refused_redeliveries(answer.into_inner()))
    }

    /// Returns the project of a repository, and the repository's owner/name; its id, if it was removed meanwhile.
    pub(crate) async fn project_and_name(
        &self,
        repository: RepositoryId,
    ) -> Result<(Option<ProjectId>, String), ServiceUnavailable> {
        let repository = repository.to_string();
        let request = GetRepositoryRequest {
            repository: repository.clone(),
            project_ids: Vec::new(),
        };
        let answer = self.repositories.clone().get_repository(request).await;
        if answer.as_ref().is_err_and(|s| s.code() == Code::NotFound) {
            return Ok((None, repository));
        }
        let answer = answer.map_err(|s| repositories_unavailable(&s))?;
        let repository = answer.into_inner().repository.unwrap_or_default();
        Ok((repository.project_id.parse().ok(), repository.full_name))
    }
}
