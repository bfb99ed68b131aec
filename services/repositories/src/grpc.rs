//! The contract's methods: decode, call the use case, encode.
mod provided;

use ck8s_proto::repositories::v1::{
    self as pb,
    repositories_service_server::{RepositoriesService, RepositoriesServiceServer},
};
use ck8s_rpc::{access, caller, convert, page, status};
use secrecy::SecretString;
use tonic::{Request, Response, Status};

use crate::service::{Add, Call, Repositories, Rotate, Set, Update};

/// As the contract says.
const MOST_RESOLVED: usize = 1_000;
/// A run's secrets; bounds one answer.
const MOST_OPENED: usize = 1_000;

impl Repositories {
    /// The gRPC service.
    #[must_use]
    pub fn server(&self) -> RepositoriesServiceServer<Self> {
        RepositoriesServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl RepositoriesService for Repositories {
    async fn list_repositories(
        &self,
        request: Request<pb::ListRepositoriesRequest>,
    ) -> Result<Response<pb::ListRepositoriesResponse>, Status> {
        let access = access::of(&request);
        let asked = request.into_inner();
        let size = page::size(asked.page_size)?;
        let after = page::decode("page_token", &asked.page_token)?;
        let projects = self.projects(&access, asked.project).await?;
        Ok(self.list(projects, size, after).await?.into())
    }

    async fn get_repository(
        &self,
        request: Request<pb::GetRepositoryRequest>,
    ) -> Result<Response<pb::GetRepositoryResponse>, Status> {
        let name = named(&request.get_ref().repository)?;
        let repository = self.get(&access::of(&request), name).await?;
        let repository = Some(repository);
        Ok(pb::GetRepositoryResponse { repository }.into())
    }

    async fn add_repository(
        &self,
        request: Request<pb::AddRepositoryRequest>,
    ) -> Result<Response<pb::AddRepositoryResponse>, Status> {
        let call = call(&request, &request.get_ref().request_id)?;
        let asked = request.into_inner();
        if asked.project.is_empty() {
            return Err(status::invalid("project", "must name a project"));
        }
        let add = Add {
            project: asked.project,
            full_name: asked.full_name,
            external_id: asked.external_id,
            default_branch: asked.default_branch,
            services_text: asked.services_text,
            webhook_secret: given(asked.webhook_secret),
            services_path: asked.services_path,
            credential: provided::shown(asked.credential)?,
        };
        Ok(self.add(call, add).await?.into())
    }

    async fn update_repository(
        &self,
        request: Request<pb::UpdateRepositoryRequest>,
    ) -> Result<Response<pb::UpdateRepositoryResponse>, Status> {
        let call = call(&request, &request.get_ref().request_id)?;
        let asked = request.into_inner();
        named(&asked.repository)?;
        let mask = asked.update_mask.unwrap_or_default().paths;
        if mask.is_empty() {
            return Err(status::invalid("update_mask", MASK));
        }
        let mut update = Update {
            repository: asked.repository,
            etag: asked.etag,
            ..Update::default()
        };
        for path in mask {
            match path.as_str() {
                "full_name" => update.full_name = Some(asked.full_name.clone()),
                "default_branch" => update.default_branch = Some(asked.default_branch.clone()),
                "services_path" => update.services_path = Some(asked.services_path.clone()),
                "services_text" => update.services_text = Some(asked.services_text.clone()),
                _ => return Err(status::invalid("update_mask", MASK)),
            }
        }
        Ok(self.update(call, update).await?.into())
    }

    async fn remove_repository(
        &self,
        request: Request<pb::RemoveRepositoryRequest>,
    ) -> Result<Response<pb::RemoveRepositoryResponse>, Status> {
        let call = call(&request, &request.get_ref().request_id)?;
        let asked = request.into_inner();
        Ok(self.remove(call, named(&asked.repository)?).await?.into())
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<pb::RotateWebhookSecretRequest>,
    ) -> Result<Response<pb::RotateWebhookSecretResponse>, Status> {
        let call = call(&request, &request.get_ref().request_id)?;
        let asked = request.into_inner();
        named(&asked.repository)?;
        let rotate = Rotate {
            repository: asked.repository,
            webhook_secret: given(asked.webhook_secret),
            overlap_seconds: asked.overlap_seconds,
        };
        Ok(self.rotate(call, rotate).await?.into())
    }

    async fn set_secret(
        &self,
        request: Request<pb::SetSecretRequest>,
    ) -> Result<Response<pb::SetSecretResponse>, Status> {
        let call = call(&request, &request.get_ref().request_id)?;
        let asked = request.into_inner();
        named(&asked.repository)?;
        let set = Set {
            repository: asked.repository,
            name: asked.name,
            value: given(asked.value),
        };
        Ok(Repositories::set_secret(self, call, set).await?.into())
    }

    async fn resolve_repositories(
        &self,
        request: Request<pb::ResolveRepositoriesRequest>,
    ) -> Result<Response<pb::ResolveRepositoriesResponse>, Status> {
        let asked = request.into_inner();
        if asked.provider() != pb::Provider::Github {
            return Err(status::invalid("provider", "must be PROVIDER_GITHUB"));
        }
        if asked.external_ids.len() > MOST_RESOLVED {
            return Err(status::invalid("external_ids", "more than 1,000"));
        }
        Ok(self.resolve(&asked.external_ids).await?.into())
    }

    async fn open_secrets(
        &self,
        request: Request<pb::OpenSecretsRequest>,
    ) -> Result<Response<pb::OpenSecretsResponse>, Status> {
        let asked = request.into_inner();
        let repository = convert::id("repository_id", &asked.repository_id)?;
        if asked.names.len() > MOST_OPENED {
            return Err(status::invalid("names", "more than 1,000"));
        }
        let secrets = Repositories::open_secrets(self, repository, &asked.names).await?;
        Ok(pb::OpenSecretsResponse { secrets }.into())
    }

    async fn reseal(
        &self,
        request: Request<pb::ResealRequest>,
    ) -> Result<Response<pb::ResealResponse>, Status> {
        let call = call(&request, &request.get_ref().request_id)?;
        Ok(Repositories::reseal(self, call).await?.into())
    }

    async fn rotate_credential(
        &self,
        request: Request<pb::RotateCredentialRequest>,
    ) -> Result<Response<pb::RotateCredentialResponse>, Status> {
        provided::rotate_credential(self, request)
            .await
            .map(Response::new)
    }

    async fn check_repository(
        &self,
        request: Request<pb::CheckRepositoryRequest>,
    ) -> Result<Response<pb::CheckRepositoryResponse>, Status> {
        provided::check_repository(self, request)
            .await
            .map(Response::new)
    }

    async fn mend_repository(
        &self,
        request: Request<pb::MendRepositoryRequest>,
    ) -> Result<Response<pb::MendRepositoryResponse>, Status> {
        provided::mend_repository(self, request)
            .await
            .map(Response::new)
    }

    async fn note_delivery(
        &self,
        request: Request<pb::NoteDeliveryRequest>,
    ) -> Result<Response<pb::NoteDeliveryResponse>, Status> {
        provided::note_delivery(self, request)
            .await
            .map(Response::new)
    }

    async fn may_write(
        &self,
        request: Request<pb::MayWriteRequest>,
    ) -> Result<Response<pb::MayWriteResponse>, Status> {
        provided::may_write(self, request).await.map(Response::new)
    }

    async fn list_hook_deliveries(
        &self,
        request: Request<pb::ListHookDeliveriesRequest>,
    ) -> Result<Response<pb::ListHookDeliveriesResponse>, Status> {
        provided::list_hook_deliveries(self, request)
            .await
            .map(Response::new)
    }

    async fn redeliver_hook_deliveries(
        &self,
        request: Request<pb::RedeliverHookDeliveriesRequest>,
    ) -> Result<Response<pb::RedeliverHookDeliveriesResponse>, Status> {
        provided::redeliver_hook_deliveries(self, request)
            .await
            .map(Response::new)
    }
}

const MASK: &str =
    "must name what changes: full_name, default_branch, services_text, services_path";

fn call<T>(request: &Request<T>, request_id: &str) -> Result<Call, Status> {
    Ok(Call {
        access: access::of(request),
        actor: caller::caller(request).actor(),
        request: convert::optional_id("request_id", request_id)?,
    })
}

fn named(repository: &str) -> Result<&str, Status> {
    if repository.is_empty() {
        return Err(status::invalid("repository", "must be an id or owner/name"));
    }
    Ok(repository)
}

fn given(text: String) -> Option<SecretString> {
    (!text.is_empty()).then(|| text.into())
}
