//! Reads services.yaml at the provider, by etag. A good file is in force; after a bad one the last good one stays in
//! force, and the commit that broke it gets a status that says so.
use ck8s_provider::{CommitState, CommitStatus, FileLookup, ProviderError};
use ck8s_types::RepositoryId;

use crate::{
    domain::repository::Repository,
    error::Error,
    service::{provider::RemoteRepository, repositories::Repositories},
    store::{
        provider_state::{self, ServicesReading},
        repositories,
    },
};

/// The context of the status on a commit.
const STATUS_CONTEXT: &str = "ck8s/services.yaml";
/// Bounds the description of a commit's status: GitHub shows no more.
const MAX_DESCRIPTION_CHARS: usize = 140;
/// The step that an error names.
const READING: &str = "reading services.yaml";
/// Bounds how often a sync is tried again because another one came before it.
const MAX_SYNC_ATTEMPTS: usize = 3;

/// A services.yaml as it was fetched.
struct FetchedFile<'a> {
    text: &'a str,
    etag: &'a str,
    commit: &'a str,
}

/// Whether the result of a reading was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum Recorded {
    Yes,
    /// Another reading was recorded meanwhile, or the path or the branch changed.
    Overtaken,
}

impl Repositories {
    /// Reads services.yaml of a repository under its name of today.
    pub(in crate::service) async fn sync_services_file(
        &self,
        id: RepositoryId,
    ) -> Result<(), Error> {
        for _ in 0..MAX_SYNC_ATTEMPTS {
            let (repository, remote) = self.load_remote(id).await?;
            let found = remote
                .api()
                .refresh_repository(&remote.credential, &remote.remote)
                .await;
            match found {
                Ok(found) => match self.follow_provider(&repository, &found).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    // The provider redirects from the old name to the new one.
                    Err(error) => {
                        tracing::warn!(repository.id = %id, %error, "the repository keeps its former name");
                    }
                },
                Err(error) => return self.note_unreadable(&repository, &error).await,
            }
            match self.read_services_file(&remote, &repository).await {
                Ok(Recorded::Overtaken) => {}
                // A provider's error was recorded and logged.
                Ok(Recorded::Yes) | Err(Error::Provider { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads the file, and records what it is. After an error of the provider nothing is known, and what is in force
    /// stays.
    pub(in crate::service) async fn read_services_file(
        &self,
        remote: &RemoteRepository,
        repository: &Repository,
    ) -> Result<Recorded, Error> {
        let file = &repository.services_file;
        let lookup = remote
            .api()
            .fetch_file(
                &remote.credential,
                &remote.remote,
                &repository.default_branch.name,
                &file.path,
                file.etag.as_deref().filter(|etag| !etag.is_empty()),
            )
            .await;
        match lookup {
            Ok(FileLookup::Unchanged) => {
                let reading = ServicesReading {
                    problem: file.problem.as_deref(),
                    ..ServicesReading::default()
                };
                self.record_reading(repository, reading).await
            }
            Ok(FileLookup::Missing) => {
                let problem = format!(
                    "there is no {} at the head of {}: nothing triggers",
                    file.path, repository.default_branch.name
                );
                let reading = ServicesReading {
                    text: Some(""),
                    etag: Some(""),
                    problem: Some(&problem),
                    ..ServicesReading::default()
                };
                self.record_reading(repository, reading).await
            }
            Ok(FileLookup::File { text, etag, commit }) => {
                let fetched = FetchedFile {
                    text: &text,
                    etag: &etag,
                    commit: &commit,
                };
                self.take_over(remote, repository, fetched).await
            }
            Err(error) => {
                self.note_unreadable(repository, &error).await?;
                Err(Error::at(READING)(error))
            }
        }
    }

    /// Takes over a file that was fetched, if it is good, and says on its commit what changed.
    async fn take_over(
        &self,
        remote: &RemoteRepository,
        repository: &Repository,
        fetched: FetchedFile<'_>,
    ) -> Result<Recorded, Error> {
        let problem = self.services.parse(fetched.text).err().map(|e| e.problem);
        let verdict = verdict(repository, fetched.commit, problem.as_deref());
        // Without an etag the next reading fetches the file again, and says then what the commit does not say yet.
        let is_said = match verdict {
            Some((state, description)) => {
                self.set_file_status(remote, repository, fetched.commit, state, description)
                    .await
            }
            None => true,
        };
        let reading = ServicesReading {
            text: problem.is_none().then_some(fetched.text),
            etag: Some(if is_said { fetched.etag } else { "" }),
            commit: Some(fetched.commit),
            problem: problem.as_deref(),
        };
        self.record_reading(repository, reading).await
    }

    /// Records why the file cannot be read. A transient error leaves no record; after another one the next reading
    /// fetches the file.
    async fn note_unreadable(
        &self,
        repository: &Repository,
        error: &ProviderError,
    ) -> Result<(), Error> {
        self.note_provider_error(repository, error).await;
        if error.is_transient() {
            return Ok(());
        }
        let problem = format!("it cannot be read: {error}");
        let reading = ServicesReading {
            etag: Some(""),
            problem: Some(&problem),
            ..ServicesReading::default()
        };
        self.record_reading(repository, reading).await.map(drop)
    }

    async fn record_reading(
        &self,
        repository: &Repository,
        reading: ServicesReading<'_>,
    ) -> Result<Recorded, Error> {
        let mut tx = self.pool.begin().await?;
        let news = provider_state::record_services_reading(&mut tx, repository, reading).await?;
        if news == Some(true) {
            repositories::touch(&mut tx, repository.id).await?;
        }
        tx.commit().await?;
        Ok(match news {
            Some(_) => Recorded::Yes,
            None => Recorded::Overtaken,
        })
    }

    /// Says on a commit how its services.yaml is. Returns false if that is to be said later.
    async fn set_file_status(
        &self,
        remote: &RemoteRepository,
        repository: &Repository,
        commit: &str,
        state: CommitState,
        description: &str,
    ) -> bool {
        let status = CommitStatus {
            state,
            context: STATUS_CONTEXT.to_owned(),
            description: description.chars().take(MAX_DESCRIPTION_CHARS).collect(),
            url: String::new(),
        };
        let set = remote
            .api()
            .set_status(&remote.credential, &remote.remote, commit, &status)
            .await;
        match set {
            Ok(()) => true,
            Err(error) => {
                self.note_provider_error(repository, &error).await;
                !error.is_transient()
            }
        }
    }
}

/// Returns what a commit is to say of its services.yaml; none: it says so already, or there is nothing to say.
fn verdict<'a>(
    repository: &Repository,
    commit: &str,
    problem: Option<&'a str>,
) -> Option<(CommitState, &'a str)> {
    let file = &repository.services_file;
    // An empty etag: the status could not be set after the last reading.
    let is_said = file.commit.as_deref() == Some(commit) && file.etag.as_deref() != Some("");
    match (problem, file.problem.as_deref()) {
        // The same file, read again: the etags of a provider may differ from token to token.
        (Some(problem), Some(before)) if problem == before && is_said => None,
        (Some(problem), _) => Some((CommitState::Error, problem)),
        (None, Some(_)) => Some((CommitState::Success, "it is in force")),
        (None, None) => None,
    }
}
