//! Our one comment in an issue or pull request, about its newest run.
use ck8s_provider::{ProviderError, Thread};

use super::text;
use crate::{
    domain::report::{DueReport, ReportedRun},
    error::Error,
    service::{provider::RemoteRepository, repositories::Repositories},
    store::reports,
};

impl Repositories {
    /// Makes or updates our comment, if no newer run is of the same thread. The inner error is the provider's.
    pub(super) async fn put_comment(
        &self,
        remote: &RemoteRepository,
        due: &DueReport,
        run: &ReportedRun,
        page: &str,
    ) -> Result<Result<(), ProviderError>, Error> {
        let Some(number) = due.thread.filter(|_| due.newest_of_thread) else {
            return Ok(Ok(()));
        };
        let known = {
            let mut conn = self.pool.acquire().await?;
            reports::comment(&mut conn, due.repository, number).await?
        };
        let body = text::comment(run, page);
        Ok(match put(remote, &Thread { number }, known, &body).await {
            Ok(id) => {
                let mut conn = self.pool.acquire().await?;
                reports::set_comment(&mut conn, due.repository, number, &id).await?;
                Ok(())
            }
            Err(error) => Err(error),
        })
    }
}

/// Updates the comment, or makes one. It looks for a comment first: a crash may have come after one was made.
async fn put(
    remote: &RemoteRepository,
    thread: &Thread,
    known: Option<String>,
    body: &str,
) -> Result<String, ProviderError> {
    let (api, credential, repository) = (remote.api(), &remote.credential, &remote.remote);
    if let Some(id) = known {
        match api.update_comment(credential, repository, &id, body).await {
            // Somebody removed it.
            Err(ProviderError::NotFound(_)) => {}
            done => return done.map(|()| id),
        }
    }
    let found = api
        .find_comment(credential, repository, thread, text::MARKER)
        .await?;
    match found {
        Some(id) => {
            api.update_comment(credential, repository, &id, body)
                .await?;
            Ok(id)
        }
        None => {
            api.create_comment(credential, repository, thread, body)
                .await
        }
    }
}
