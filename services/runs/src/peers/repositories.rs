//! Repositories and their secrets, of the repositories service.
use std::collections::BTreeMap;

use ck8s_proto::repositories::v1::{
    GetRepositoryRequest, OpenSecretsRequest,
    repositories_service_client::RepositoriesServiceClient,
};
use ck8s_rpc::{mesh::Channel, status};
use ck8s_types::RepositoryId;

use crate::{domain::Repository, error::RunsError};

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

    pub(super) async fn get(&self, name: &str) -> Result<Repository, RunsError> {
        let request = GetRepositoryRequest {
            repository: name.to_owned(),
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
        names: &[String],
    ) -> Result<BTreeMap<String, String>, RunsError> {
        let request = OpenSecretsRequest {
            repository_id: repository.to_string(),
            names: names.to_vec(),
        };
        let response = self.client.clone().open_secrets(request).await;
        let secrets = response.map_err(Box::new)?.into_inner().secrets;
        if let Some(missing) = names.iter().find(|n| !secrets.contains_key(*n)) {
            return Err(RunsError::SecretMissing(format!(
                "the repository has no secret {missing}: set it with `ck8s repo secret set`"
            )));
        }
        Ok(secrets.into_iter().collect())
    }
}
