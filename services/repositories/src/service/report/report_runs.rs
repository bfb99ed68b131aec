//! Makes the due reports of a repository, one run after the other.
use ck8s_provider::{CommitStatus, ProviderError};
use ck8s_types::RepositoryId;

use super::text;
use crate::{
    domain::report::{DueReport, ReportedRun},
    error::Error,
    service::{provider::RemoteRepository, repositories::Repositories},
    store::reports,
};

/// How the reports of a repository went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportingOutcome {
    /// They were made.
    Done,
    /// One could not be made now.
    Postponed,
    /// The provider refused the credential: somebody has to set another one.
    CredentialRefused,
}

impl Repositories {
    /// Makes the due reports of a repository, until one cannot be made.
    pub(crate) async fn report_runs(&self, repository: RepositoryId) -> ReportingOutcome {
        let Err(error) = self.report_all(repository).await else {
            return ReportingOutcome::Done;
        };
        tracing::warn!(repository.id = %repository, %error, "runs are reported later");
        match error {
            Error::Provider { error, .. } if !error.is_transient() => {
                ReportingOutcome::CredentialRefused
            }
            _ => ReportingOutcome::Postponed,
        }
    }

    async fn report_all(&self, repository: RepositoryId) -> Result<(), Error> {
        let due = {
            let mut conn = self.pool.acquire().await?;
            reports::due_of(&mut conn, repository).await?
        };
        for report in due {
            if let Err(error) = self.report(&report).await {
                let mut conn = self.pool.acquire().await?;
                reports::postpone(&mut conn, report.run).await?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Reports one run as it is now. What the provider will never accept is dropped; an error: it may accept the report
    /// later.
    async fn report(&self, due: &DueReport) -> Result<(), Error> {
        let Some(run) = self.find_run(due.run).await? else {
            let mut conn = self.pool.acquire().await?;
            return Ok(reports::complete(&mut conn, due, &due.state).await?);
        };
        let (repository, remote) = self.load_remote(due.repository).await?;
        let page = remote.provider.run_page(run.id);
        for reported in [
            acknowledge(&remote, due, &run).await,
            set_status(&remote, due, &run, &page).await,
            self.put_comment(&remote, due, &run).await?,
        ] {
            let Err(error) = reported else { continue };
            self.note_provider_error(&repository, &error).await;
            if error.is_transient() || error == ProviderError::Unauthenticated {
                return Err(Error::at("reporting a run")(error));
            }
        }
        let mut conn = self.pool.acquire().await?;
        reports::complete(&mut conn, due, run.state.as_str()).await?;
        Ok(())
    }
}

/// Reacts to the comment that asked for the run, with the first report.
async fn acknowledge(
    remote: &RemoteRepository,
    due: &DueReport,
    run: &ReportedRun,
) -> Result<(), ProviderError> {
    let comment = run.trigger.comment_id.as_str();
    if comment.is_empty() || !due.reported.is_empty() {
        return Ok(());
    }
    remote
        .api()
        .acknowledge(&remote.credential, &remote.remote, comment)
        .await
}

/// Sets the status of the commit, if no newer run of the same trigger is of this commit.
async fn set_status(
    remote: &RemoteRepository,
    due: &DueReport,
    run: &ReportedRun,
    page: &str,
) -> Result<(), ProviderError> {
    let Some(commit) = due.commit.as_deref().filter(|_| due.newest_of_commit) else {
        return Ok(());
    };
    let status = CommitStatus {
        state: text::commit_state(run),
        context: format!("ck8s/{}", run.trigger.name),
        description: text::summary(run),
        url: page.to_owned(),
    };
    remote
        .api()
        .set_status(&remote.credential, &remote.remote, commit, &status)
        .await
}
