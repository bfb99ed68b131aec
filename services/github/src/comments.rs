//! What ck8s says: statuses of commits, comments, reactions.
use ck8s_provider::{CommitState, CommitStatus, Credential, ProviderError, Remote, Thread};
use http::Method;
use serde_json::json;

use crate::{
    GitHub,
    ask::{Ask, Scope, part},
    needs,
    pages::Entry,
    repositories::path,
    wire,
};

/// GitHub takes no longer description of a status, in characters.
const DESCRIPTION: usize = 140;

impl Entry for wire::Comment {
    fn id(&self) -> i64 {
        self.id
    }
}

impl GitHub {
    pub(crate) async fn status(
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
        let description: String = status.description.chars().take(DESCRIPTION).collect();
        let mut body = json!({
            "state": state,
            "description": description,
            "context": status.context,
        });
        if !status.url.is_empty() {
            body["target_url"] = json!(status.url);
        }
        let path = path(&repository.full_name)?;
        let path = format!("{path}/statuses/{}", part(commit));
        let ask = Ask::new(Method::POST, path, needs::STATUS).with(body);
        let scope = Scope::Id(&repository.external_id);
        let answer = self.ask(credential, scope, ask).await?;
        answer.good(needs::STATUS).map(|_| ())
    }

    /// Ours: anybody may write a marker, so the author counts. Of several, the first.
    pub(crate) async fn our_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        marker: &str,
    ) -> Result<Option<String>, ProviderError> {
        let we = self.whose(credential).await?.external_id;
        let path = path(&repository.full_name)?;
        let path = format!("{path}/issues/{}/comments?per_page=100", thread.number);
        let scope = Scope::Id(&repository.external_id);
        let need = needs::COMMENTS_READ;
        let all: Vec<wire::Comment> = self.all(credential, scope, &path, need).await?;
        let ours = all.into_iter().find(|comment| {
            let author = comment.user.as_ref();
            author.is_some_and(|user| user.id.to_string() == we)
                && comment
                    .body
                    .as_ref()
                    .is_some_and(|body| body.contains(marker))
        });
        Ok(ours.map(|comment| comment.id.to_string()))
    }

    pub(crate) async fn comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        body: &str,
    ) -> Result<String, ProviderError> {
        let path = path(&repository.full_name)?;
        let path = format!("{path}/issues/{}/comments", thread.number);
        let ask = Ask::new(Method::POST, path, needs::COMMENT).with(json!({ "body": body }));
        let scope = Scope::Id(&repository.external_id);
        let answer = self.ask(credential, scope, ask).await?;
        let comment: wire::Comment = answer.good(needs::COMMENT)?.read()?;
        Ok(comment.id.to_string())
    }

    pub(crate) async fn rewrite(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
        body: &str,
    ) -> Result<(), ProviderError> {
        let path = path(&repository.full_name)?;
        let path = format!("{path}/issues/comments/{}", part(comment_id));
        let ask = Ask::new(Method::PATCH, path, needs::COMMENT).with(json!({ "body": body }));
        let scope = Scope::Id(&repository.external_id);
        let answer = self.ask(credential, scope, ask).await?;
        answer.good(needs::COMMENT).map(|_| ())
    }

    /// GitHub takes a second one of the same for the first.
    pub(crate) async fn eyes(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
    ) -> Result<(), ProviderError> {
        let path = path(&repository.full_name)?;
        let path = format!("{path}/issues/comments/{}/reactions", part(comment_id));
        let ask = Ask::new(Method::POST, path, needs::COMMENT).with(json!({ "content": "eyes" }));
        let scope = Scope::Id(&repository.external_id);
        let answer = self.ask(credential, scope, ask).await?;
        answer.good(needs::COMMENT).map(|_| ())
    }
}
