//! The files of a change: of a pull request, or between two commits.
use ck8s_provider::{ChangeSet, ChangedFiles, Credential, ProviderError, Remote};
use tokio::time::Instant;

use crate::{client::GitHub, models, operations, path, request::Request};

/// The files of a pull request that GitHub lists at most.
const MAX_LISTED_FILES: usize = 3_000;
/// The files of a comparison that GitHub states at most, on its first page.
const MAX_COMPARED_FILES: usize = 300;
/// The most pages that are read, of a hundred files each.
const MAX_PAGES: usize = MAX_LISTED_FILES / 100;
/// Bounds the paths of an answer, in bytes: they travel in one message.
const MAX_PATHS_BYTES: usize = 1024 * 1024;

impl GitHub {
    pub(crate) async fn changed_files(
        &self,
        credential: &Credential,
        repository: &Remote,
        change: &ChangeSet,
    ) -> Result<ChangedFiles, ProviderError> {
        let files = match change {
            ChangeSet::PullRequest(number) => {
                self.files_of_pull_request(credential, repository, *number)
                    .await
            }
            ChangeSet::Between { base, head } => {
                self.files_between(credential, repository, base, head).await
            }
        };
        match files {
            // GitHub cannot make every diff: it takes too long, or it is too large. It never will, so nobody waits.
            Err(ProviderError::Invalid(_)) => Ok(ChangedFiles::default()),
            Err(ProviderError::Unavailable(why)) => {
                self.refresh_repository(credential, repository)
                    .await
                    .map_err(|_| ProviderError::Unavailable(why))?;
                Ok(ChangedFiles::default())
            }
            files => files,
        }
    }

    async fn files_of_pull_request(
        &self,
        credential: &Credential,
        repository: &Remote,
        number: i64,
    ) -> Result<ChangedFiles, ProviderError> {
        let path = path::repository(&repository.full_name)?;
        let mut next = Some(format!("{path}/pulls/{number}/files?per_page=100"));
        let mut files = Vec::new();
        let until = Instant::now() + self.config.files_timeout;
        for _ in 0..MAX_PAGES {
            let Some(path) = &next else { break };
            let request = Request::get(path.clone(), operations::LIST_FILES);
            let sent = self.send_to(credential, repository, request);
            let response = match tokio::time::timeout_at(until, sent).await {
                Ok(response) => response?,
                Err(_) if files.is_empty() => return Err(too_slow()),
                Err(_) => break,
            };
            let page = response.success()?;
            files.extend(page.json::<Vec<models::ChangedFile>>()?);
            next = self.next_page(&page)?;
        }
        let is_complete = next.is_none() && files.len() < MAX_LISTED_FILES;
        Ok(bounded(files, is_complete))
    }

    /// Compares from where the two parted, as GitHub shows a push and a pull request.
    async fn files_between(
        &self,
        credential: &Credential,
        repository: &Remote,
        base: &str,
        head: &str,
    ) -> Result<ChangedFiles, ProviderError> {
        let path = path::repository(&repository.full_name)?;
        let (base, head) = (path::segment(base), path::segment(head));
        // The files are on the first page, however few commits it has.
        let path = format!("{path}/compare/{base}...{head}?per_page=1&page=1");
        let request = Request::get(path, operations::COMPARE);
        let sent = self.send_to(credential, repository, request);
        let sent = tokio::time::timeout(self.config.files_timeout, sent).await;
        let response = sent.map_err(|_| too_slow())??;
        if response.is_not_found() {
            // A push by force has left the commit before it to be forgotten, or the two have nothing in common.
            return Ok(ChangedFiles::default());
        }
        let comparison: models::Comparison = response.success()?.json()?;
        let is_complete = comparison.files.len() < MAX_COMPARED_FILES;
        Ok(bounded(comparison.files, is_complete))
    }
}

fn too_slow() -> ProviderError {
    ProviderError::Unavailable("it did not say in time which files were changed".to_owned())
}

fn bounded(files: Vec<models::ChangedFile>, is_complete: bool) -> ChangedFiles {
    let mut changed = ChangedFiles {
        paths: Vec::with_capacity(files.len()),
        is_complete,
    };
    let mut bytes = 0;
    let paths = files.into_iter().flat_map(|file| {
        let moved_from = file.previous_filename;
        [Some(file.filename), moved_from].into_iter().flatten()
    });
    for path in paths {
        bytes += path.len();
        if bytes > MAX_PATHS_BYTES {
            changed.is_complete = false;
            break;
        }
        changed.paths.push(path);
    }
    changed
}
