//! Repositories: finding one by its name, and reading one that is known again.
use ck8s_provider::{Credential, MissingPermission, ProviderError, Remote};

use crate::{
    client::GitHub,
    models::Repository,
    operations, path,
    request::{Request, TokenScope},
};

impl From<Repository> for Remote {
    fn from(repository: Repository) -> Self {
        Self {
            external_id: repository.id.to_string(),
            full_name: repository.full_name,
            default_branch: repository.default_branch,
        }
    }
}

impl GitHub {
    pub(crate) async fn find_repository(
        &self,
        credential: &Credential,
        full_name: &str,
    ) -> Result<(Remote, Vec<MissingPermission>), ProviderError> {
        let request = Request::get(path::repository(full_name)?, operations::GET_REPOSITORY);
        let scope = TokenScope::RepositoryName(full_name);
        let response = self.send(credential, scope, request).await?.success()?;
        let repository: Repository = response.json()?;
        let missing = self
            .missing_permissions(credential, full_name, &response)
            .await?;
        Ok((repository.into(), missing))
    }

    /// GitHub redirects from a former name to the current one, until another repository takes the former name.
    pub(crate) async fn refresh_repository(
        &self,
        credential: &Credential,
        repository: &Remote,
    ) -> Result<Remote, ProviderError> {
        let path = path::repository(&repository.full_name)?;
        let request = Request::get(path, operations::GET_REPOSITORY);
        let response = self.send_to(credential, repository, request).await?;
        let current: Repository = response.success()?.json()?;
        let current = Remote::from(current);
        if current.external_id != repository.external_id {
            let resource = operations::GET_REPOSITORY.resource;
            return Err(ProviderError::NotFound(resource));
        }
        Ok(current)
    }
}
