//! The gRPC service: it hands each call to the file of its method.
use ck8s_proto::repositories::v1::{self as pb, repositories_service_server::RepositoriesService};
use tonic::{Request, Response, Status};

use super::{
    add_repository, check_repository, get_repository, list_hook_deliveries, list_project_secrets,
    list_repositories, list_scheduled_repositories, may_write, mend_repository, note_delivery,
    open_secrets, redeliver_hook_deliveries, remove_repository, reseal, resolve_repositories,
    rotate_credential, rotate_webhook_secret, set_project_secret, set_secret, update_repository,
};
use crate::service::Repositories;

/// Serves `RepositoriesService`.
#[derive(Clone)]
pub struct RepositoriesServer(Repositories);

impl RepositoriesServer {
    pub(crate) fn new(repositories: Repositories) -> Self {
        Self(repositories)
    }
}

#[tonic::async_trait]
impl RepositoriesService for RepositoriesServer {
    async fn list_repositories(
        &self,
        request: Request<pb::ListRepositoriesRequest>,
    ) -> Result<Response<pb::ListRepositoriesResponse>, Status> {
        list_repositories::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn get_repository(
        &self,
        request: Request<pb::GetRepositoryRequest>,
    ) -> Result<Response<pb::GetRepositoryResponse>, Status> {
        get_repository::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn add_repository(
        &self,
        request: Request<pb::AddRepositoryRequest>,
    ) -> Result<Response<pb::AddRepositoryResponse>, Status> {
        add_repository::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn update_repository(
        &self,
        request: Request<pb::UpdateRepositoryRequest>,
    ) -> Result<Response<pb::UpdateRepositoryResponse>, Status> {
        update_repository::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn remove_repository(
        &self,
        request: Request<pb::RemoveRepositoryRequest>,
    ) -> Result<Response<pb::RemoveRepositoryResponse>, Status> {
        remove_repository::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<pb::RotateWebhookSecretRequest>,
    ) -> Result<Response<pb::RotateWebhookSecretResponse>, Status> {
        rotate_webhook_secret::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn rotate_credential(
        &self,
        request: Request<pb::RotateCredentialRequest>,
    ) -> Result<Response<pb::RotateCredentialResponse>, Status> {
        rotate_credential::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn set_project_secret(
        &self,
        request: Request<pb::SetProjectSecretRequest>,
    ) -> Result<Response<pb::SetProjectSecretResponse>, Status> {
        set_project_secret::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn list_project_secrets(
        &self,
        request: Request<pb::ListProjectSecretsRequest>,
    ) -> Result<Response<pb::ListProjectSecretsResponse>, Status> {
        list_project_secrets::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn set_secret(
        &self,
        request: Request<pb::SetSecretRequest>,
    ) -> Result<Response<pb::SetSecretResponse>, Status> {
        set_secret::call(&self.0, request).await.map(Response::new)
    }

    async fn check_repository(
        &self,
        request: Request<pb::CheckRepositoryRequest>,
    ) -> Result<Response<pb::CheckRepositoryResponse>, Status> {
        check_repository::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn mend_repository(
        &self,
        request: Request<pb::MendRepositoryRequest>,
    ) -> Result<Response<pb::MendRepositoryResponse>, Status> {
        mend_repository::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn resolve_repositories(
        &self,
        request: Request<pb::ResolveRepositoriesRequest>,
    ) -> Result<Response<pb::ResolveRepositoriesResponse>, Status> {
        resolve_repositories::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn open_secrets(
        &self,
        request: Request<pb::OpenSecretsRequest>,
    ) -> Result<Response<pb::OpenSecretsResponse>, Status> {
        open_secrets::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn note_delivery(
        &self,
        request: Request<pb::NoteDeliveryRequest>,
    ) -> Result<Response<pb::NoteDeliveryResponse>, Status> {
        note_delivery::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn may_write(
        &self,
        request: Request<pb::MayWriteRequest>,
    ) -> Result<Response<pb::MayWriteResponse>, Status> {
        may_write::call(&self.0, request).await.map(Response::new)
    }

    async fn list_hook_deliveries(
        &self,
        request: Request<pb::ListHookDeliveriesRequest>,
    ) -> Result<Response<pb::ListHookDeliveriesResponse>, Status> {
        list_hook_deliveries::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn list_scheduled_repositories(
        &self,
        request: Request<pb::ListScheduledRepositoriesRequest>,
    ) -> Result<Response<pb::ListScheduledRepositoriesResponse>, Status> {
        list_scheduled_repositories::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn redeliver_hook_deliveries(
        &self,
        request: Request<pb::RedeliverHookDeliveriesRequest>,
    ) -> Result<Response<pb::RedeliverHookDeliveriesResponse>, Status> {
        redeliver_hook_deliveries::call(&self.0, request)
            .await
            .map(Response::new)
    }

    async fn reseal(
        &self,
        request: Request<pb::ResealRequest>,
    ) -> Result<Response<pb::ResealResponse>, Status> {
        reseal::call(&self.0, request).await.map(Response::new)
    }
}
