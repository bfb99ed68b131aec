//! Statuses of commits.
use ck8s_provider::{CommitState, CommitStatus, Credential, ProviderError, Remote};
use http::Method;
use serde_json::json;

use crate::{client::GitHub, operations, path, request::Request};

/// The longest description that GitHub accepts.
const MAX_DESCRIPTION_CHARS: usize = 140;

impl GitHub {
    pub(crate) async fn set_status(
        &self,
        credential: &Credential,
        repository: &Remote,
        commit: &str,
        status: &CommitStatus,
    ) -> Result<(), ProviderError> {
        let state = match status.state {
            CommitState::Pending => "pending",
            CommitState::Success => "success",
            CommitState::Failure => "failure",
            CommitState::Error => "error",
        };
        let description = status.description.chars().take(MAX_DESCRIPTION_CHARS);
        let mut body = json!({
            "state": state,
            "description": description.collect::<String>(),
            "context": status.context,
        });
        if !status.url.is_empty() {
            body["target_url"] = json!(status.url);
        }
        let path = path::repository(&repository.full_name)?;
        let path = format!("{path}/statuses/{}", path::segment(commit));
        let request = Request::new(Method::POST, path, operations::SET_STATUS).with_body(body);
        let response = self.send_to(credential, repository, request).await?;
        response.success().map(|_| ())
    }
}
