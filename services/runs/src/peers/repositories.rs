//! Repositories and their secrets, of the repositories service.
use std::collections::BTreeMap;

use ck8s_proto::repositories::v1::{
    GetRepositoryRequest, OpenSecretsRequest, OpenSecretsResponse, open_secrets_request::Origin,
    repositories_service_client::RepositoriesServiceClient,
};
use ck8s_rpc::{mesh::Channel, status};
use ck8s_types::{ProjectId, RepositoryId};

use crate::{
    domain::{Repository, Run},
    error::RunsError,
};

/// A client of the repositories service.
pub(super) struct Repositories {
    client: RepositoriesServiceClient<Channel>,
}

impl Repositories {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            client: RepositoriesServiceClient::new(channel),
        }
    }

    pub(super) async fn get(
        &self,
        name: &str,
        projects: &[ProjectId],
    ) -> Result<Repository, RunsError> {
        let request = GetRepositoryRequest {
            repository: name.to_owned(),
            project_ids: projects.iter().map(ProjectId::to_string).collect(),
        };
        let response = self.client.clone().get_repository(request).await;
        let repository = response.map_err(Box::new)?.into_inner().repository;
        let repository = repository
            .ok_or_else(|| RunsError::Peer(Box::new(status::not_found("repository", name))))?;
        Repository::try_from(repository)
    }

    pub(super) async fn secrets(
        &self,
        repository: RepositoryId,
        run: &Run,
    ) -> Result<BTreeMap<String, String>, RunsError> {
        let names = &run.spec.secrets;
        let trigger = &run.trigger;
        let request = OpenSecretsRequest {
            repository_id: repository.to_string(),
            names: names.clone(),
            origin: Some(match trigger.name.as_str() {
                "" => Origin::AdminSpec(trigger.admin_spec),
                name => Origin::Trigger(name.to_owned()),
            }),
        };
        let response = self.client.clone().open_secrets(request).await;
        let OpenSecretsResponse {
            secrets,
            withheld_names,
        } = response.map_err(Box::new)?.into_inner();
        if let Some(withheld) = withheld_names.first() {
            return Err(RunsError::SecretMissing(format!(
                "secret {withheld} is bound to other triggers: `ck8s repo secret set --triggers` says to which"
            )));
        }
        if let Some(missing) = names.iter().find(|n| !secrets.contains_key(*n)) {
            return Err(RunsError::SecretMissing(format!(
                "neither the repository nor its project has a secret {missing}: set it with `ck8s repo secret set`"
            )));
        }
        Ok(secrets.into_iter().collect())
    }
}
