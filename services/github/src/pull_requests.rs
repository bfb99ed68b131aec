//! Pull requests: the commit that one offers.
use ck8s_provider::{Credential, HeadRepository, ProviderError, PullRequestHead, Remote};

use crate::{client::GitHub, models, operations, path, request::Request};

impl GitHub {
    pub(crate) async fn pull_request_head(
        &self,
        credential: &Credential,
        repository: &Remote,
        number: i64,
    ) -> Result<PullRequestHead, ProviderError> {
        let path = path::repository(&repository.full_name)?;
        let path = format!("{path}/pulls/{number}");
        let request = Request::get(path, operations::GET_PULL_REQUEST);
        let response = self.send_to(credential, repository, request).await?;
        let pull_request: models::PullRequest = response.success()?.json()?;
        let head = pull_request.head;
        Ok(PullRequestHead {
            commit: head.sha,
            branch: head.branch,
            repository: head.repo.map(|repo| HeadRepository {
                external_id: repo.id.to_string(),
                full_name: repo.full_name,
            }),
            base_branch: pull_request.base.branch,
            updated_at: pull_request.updated_at,
        })
    }
}
