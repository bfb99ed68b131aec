//! Issues and pull requests with what people wrote there.
use ck8s_provider::{Credential, Discussion, DiscussionComment, ProviderError, Remote, Thread};

use crate::{client::GitHub, models, operations, path, request::Request};

/// Bounds the comments of a discussion; the newest are kept.
const MAX_COMMENTS: usize = 200;
/// Whom GitHub shows where an account was deleted.
const GHOST: &str = "ghost";

impl GitHub {
    pub(crate) async fn discussion(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
    ) -> Result<Discussion, ProviderError> {
        let path = path::repository(&repository.full_name)?;
        let path = format!("{path}/issues/{}", thread.number);
        let request = Request::get(path.clone(), operations::GET_ISSUE);
        let response = self.send_to(credential, repository, request).await?;
        let issue: models::Issue = response.success()?.json()?;
        let path = format!("{path}/comments?per_page=100");
        let comments: Vec<models::Comment> = self
            .list_all(credential, repository, &path, operations::LIST_COMMENTS)
            .await?;
        let actor = self.actor(credential).await?.external_id;
        let by_others = comments.into_iter().filter(|comment| {
            let author = comment.user.as_ref();
            author.is_none_or(|user| user.id.to_string() != actor)
        });
        let mut comments: Vec<DiscussionComment> = by_others
            .map(|comment| DiscussionComment {
                author: login(comment.user),
                body: comment.body.unwrap_or_default(),
            })
            .collect();
        comments.drain(..comments.len().saturating_sub(MAX_COMMENTS));
        Ok(Discussion {
            is_pull_request: issue.pull_request.is_some(),
            title: issue.title,
            author: login(issue.user),
            body: issue.body.unwrap_or_default(),
            comments,
        })
    }
}

fn login(user: Option<models::User>) -> String {
    user.map_or_else(|| GHOST.to_owned(), |user| user.login)
}
