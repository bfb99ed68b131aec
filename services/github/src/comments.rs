//! Comments on issues and pull requests, and reactions to them.
use ck8s_provider::{Credential, ProviderError, Remote, Thread};
use http::Method;
use serde_json::json;

use crate::{client::GitHub, models, operations, pagination::ListEntry, path, request::Request};

impl ListEntry for models::Comment {
    fn id(&self) -> i64 {
        self.id
    }
}

impl GitHub {
    /// Returns the first comment of our own account with the marker. Anybody can write the marker, so the author
    /// decides.
    pub(crate) async fn find_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        marker: &str,
    ) -> Result<Option<String>, ProviderError> {
        let actor = self.actor(credential).await?.external_id;
        let path = format!("{}?per_page=100", thread_path(repository, thread)?);
        let comments: Vec<models::Comment> = self
            .list_all(credential, repository, &path, operations::LIST_COMMENTS)
            .await?;
        let is_ours = |comment: &models::Comment| {
            let (author, body) = (comment.user.as_ref(), comment.body.as_ref());
            author.is_some_and(|user| user.id.to_string() == actor)
                && body.is_some_and(|body| body.contains(marker))
        };
        let ours = comments.into_iter().find(is_ours);
        Ok(ours.map(|comment| comment.id.to_string()))
    }

    pub(crate) async fn create_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        body: &str,
    ) -> Result<String, ProviderError> {
        let path = thread_path(repository, thread)?;
        let request = Request::new(Method::POST, path, operations::WRITE_COMMENT)
            .with_body(json!({ "body": body }));
        let response = self.send_to(credential, repository, request).await?;
        let comment: models::Comment = response.success()?.json()?;
        Ok(comment.id.to_string())
    }

    pub(crate) async fn update_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
        body: &str,
    ) -> Result<(), ProviderError> {
        let path = comment_path(repository, comment_id)?;
        let request = Request::new(Method::PATCH, path, operations::WRITE_COMMENT)
            .with_body(json!({ "body": body }));
        let response = self.send_to(credential, repository, request).await?;
        response.success().map(|_| ())
    }

    /// Adds the reaction "eyes". GitHub keeps one of each kind for an account, so repeating it changes nothing.
    pub(crate) async fn acknowledge(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
    ) -> Result<(), ProviderError> {
        let path = format!("{}/reactions", comment_path(repository, comment_id)?);
        let request = Request::new(Method::POST, path, operations::WRITE_COMMENT)
            .with_body(json!({ "content": "eyes" }));
        let response = self.send_to(credential, repository, request).await?;
        response.success().map(|_| ())
    }
}

fn thread_path(repository: &Remote, thread: &Thread) -> Result<String, ProviderError> {
    let repository = path::repository(&repository.full_name)?;
    Ok(format!("{repository}/issues/{}/comments", thread.number))
}

fn comment_path(repository: &Remote, comment_id: &str) -> Result<String, ProviderError> {
    let repository = path::repository(&repository.full_name)?;
    let comment = path::segment(comment_id);
    Ok(format!("{repository}/issues/comments/{comment}"))
}
