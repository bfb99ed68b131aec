//! Our one comment in an issue or pull request, about its newest runs: those that one delivery made.
use ck8s_provider::{ProviderError, Thread};

use super::text;
use crate::{
    domain::report::{DueReport, ReportedRun},
    error::Error,
    service::{provider::RemoteRepository, repositories::Repositories},
    store::reports,
};

/// Bounds the runs that a comment is about; each is read for it.
const MAX_RUNS_PER_COMMENT: i64 = 20;

impl Repositories {
    /// Makes or updates our comment, unless it is about a newer delivery's runs. The inner error is the provider's.
    pub(super) async fn put_comment(
        &self,
        remote: &RemoteRepository,
        due: &DueReport,
        run: &ReportedRun,
    ) -> Result<Result<(), ProviderError>, Error> {
        let Some(number) = due.thread.filter(|_| due.newest_of_thread) else {
            return Ok(Ok(()));
        };
        let (known, together) = {
            let mut conn = self.pool.acquire().await?;
            let known = reports::comment(&mut conn, due.repository, number).await?;
            let together = reports::runs_together(&mut conn, due, MAX_RUNS_PER_COMMENT).await?;
            (known, together)
        };
        let mut runs = Vec::with_capacity(together.len());
        for id in together {
            match id == run.id {
                true => runs.push(run.clone()),
                false => runs.extend(self.find_run(id).await?),
            }
        }
        let body = text::comment(&runs, |run| remote.provider.run_page(run));
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
