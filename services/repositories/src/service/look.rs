//! services.yaml as it stands at the provider: read by etag, in force if it is good; if not, the last good one stays, and the commit
//! that broke it says so.
use ck8s_provider::{CommitState, CommitStatus, Fetched, ProviderError};
use serde_json::json;
use uuid::Uuid;

use super::{
    Repositories,
    change::record,
    outside::{Far, at},
    recover::ACTOR,
};
use crate::{
    domain::{repository as field, services_yaml},
    error::Error,
    store::{
        remote::{self, Look},
        repositories::{self, Repository},
        works,
    },
};

/// The name of the status on a commit.
const CONTEXT: &str = "ck8s/services.yaml";
/// What a commit's status shows, in characters.
const LONGEST: usize = 140;
/// Nobody looks more often without being told to.
const EVERY_SECONDS: f64 = 600.0;
/// Looked at in one round.
const MOST: i64 = 20;

/// What is named in an error where it stopped.
const READING: &str = "reading services.yaml";
/// So often a look that was overtaken by another is repeated.
const LOOKS: usize = 3;

impl Repositories {
    /// Looks at the file, and writes down what there is; false: somebody else looked, or changed where to look. The provider's error:
    /// nothing is known, and nothing changes.
    pub(super) async fn look(&self, far: &Far, repository: &Repository) -> Result<bool, Error> {
        let etag = repository.services_etag.as_deref();
        let fetched = far
            .api()
            .file(
                &far.credential,
                &far.remote,
                &repository.default_branch,
                &repository.services_path,
                etag.filter(|etag| !etag.is_empty()),
            )
            .await;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                self.unread(repository, &error).await?;
                return Err(at(READING)(error));
            }
        };
        let before = repository.services_problem.as_deref();
        match fetched {
            Fetched::Unchanged => {
                let look = Look {
                    problem: before,
                    ..Look::default()
                };
                self.noted(repository, look).await
            }
            Fetched::Missing => {
                let problem = format!(
                    "there is no {} at the head of {}: nothing triggers",
                    repository.services_path, repository.default_branch
                );
                let look = Look {
                    text: Some(""),
                    etag: Some(""),
                    problem: Some(&problem),
                    ..Look::default()
                };
                self.noted(repository, look).await
            }
            Fetched::File { text, etag, commit } => {
                let fault = services_yaml::parse(&text).err().map(|e| e.problem);
                // An empty etag: what was to be said is not.
                let told = repository.services_commit.as_deref() == Some(commit.as_str())
                    && repository.services_etag.as_deref() != Some("");
                let verdict = match (&fault, before) {
                    // The same file, read again: a provider's etag may be of one token.
                    (Some(fault), Some(before)) if fault == before && told => None,
                    (Some(fault), _) => Some((CommitState::Error, fault.as_str())),
                    (None, Some(_)) => Some((CommitState::Success, "it is in force")),
                    (None, None) => None,
                };
                // What the commit does not say yet, the next look says.
                let said = match verdict {
                    Some((state, words)) => self.say(far, repository, &commit, state, words).await,
                    None => true,
                };
                let look = Look {
                    text: fault.is_none().then_some(text.as_str()),
                    etag: Some(if said { &etag } else { "" }),
                    commit: Some(&commit),
                    problem: fault.as_deref(),
                };
                self.noted(repository, look).await
            }
        }
    }

    /// Notes why the file cannot be read. What passes is noted nowhere; after what does not, the next look reads it whole.
    async fn unread(&self, repository: &Repository, error: &ProviderError) -> Result<(), Error> {
        self.note_error(repository, error).await;
        if error.passes() {
            return Ok(());
        }
        let problem = format!("it cannot be read: {error}");
        let look = Look {
            etag: Some(""),
            problem: Some(&problem),
            ..Look::default()
        };
        self.noted(repository, look).await.map(drop)
    }

    /// Writes down a look; false: it was overtaken.
    async fn noted(&self, repository: &Repository, look: Look<'_>) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let news = remote::looked(&mut tx, repository, look).await?;
        if news == Some(true) {
            repositories::touch(&mut tx, repository.id).await?;
        }
        tx.commit().await?;
        Ok(news.is_some())
    }

    /// Says on a commit how its services.yaml is; false: it is to be said later.
    async fn say(
        &self,
        far: &Far,
        repository: &Repository,
        commit: &str,
        state: CommitState,
        description: &str,
    ) -> bool {
        let status = CommitStatus {
            state,
            context: CONTEXT.to_owned(),
            description: description.chars().take(LONGEST).collect(),
            url: String::new(),
        };
        let api = far.api();
        let said = api.set_status(&far.credential, &far.remote, commit, &status);
        match said.await {
            Ok(()) => true,
            Err(error) => {
                self.note_error(repository, &error).await;
                !error.passes()
            }
        }
    }

    /// Looks now, under the name of today.
    pub(crate) async fn look_now(&self, id: Uuid) -> Result<(), Error> {
        for _ in 0..LOOKS {
            let mut conn = self.pool.acquire().await?;
            let repository = repositories::get(&mut conn, id).await?;
            let far = self.far(&mut conn, &repository).await?;
            drop(conn);
            match far.api().identify(&far.credential, &far.remote).await {
                Ok(found) => match self.follow(&repository, &found).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    // The provider leads from the old name to the new one.
                    Err(error) => {
                        tracing::warn!(repository.id = %id, %error, "it keeps its former name");
                    }
                },
                Err(error) => return self.unread(&repository, &error).await,
            }
            match self.look(&far, &repository).await {
                Ok(false) => {}
                // What the provider says is written down and logged there.
                Ok(true) | Err(Error::Provider { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Looks at those that nobody has looked at for ten minutes: at the file, and at the hook.
    pub(crate) async fn look_at_due(&self) -> Result<(), Error> {
        let due = {
            let mut conn = self.pool.acquire().await?;
            remote::due(&mut conn, EVERY_SECONDS, MOST).await?
        };
        for id in due {
            if let Err(error) = self.look_now(id).await {
                tracing::warn!(repository.id = %id, %error, "services.yaml was not looked at");
            }
            if let Err(error) = self.look_at_hook_now(id).await {
                tracing::warn!(repository.id = %id, %error, "its hook was not looked at");
            }
        }
        Ok(())
    }

    async fn look_at_hook_now(&self, id: Uuid) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        let repository = repositories::get(&mut conn, id).await?;
        // One that ck8s made no hook for has its own.
        if repository.hook_id.is_none() || works::of(&mut conn, id).await?.is_some() {
            return Ok(());
        }
        let far = self.far(&mut conn, &repository).await?;
        drop(conn);
        if let Err(problem) = self.look_at_hook(&far, &repository).await? {
            tracing::warn!(repository.id = %id, problem, "the hook is not what it should be");
        }
        Ok(())
    }

    /// Follows the provider to another name or default branch; whether there was one.
    async fn follow(
        &self,
        repository: &Repository,
        found: &ck8s_provider::Remote,
    ) -> Result<bool, Error> {
        let name = Some(found.full_name.as_str()).filter(|name| *name != repository.full_name);
        let branch = Some(found.default_branch.as_str()).filter(|branch| {
            repository.follows_default_branch && *branch != repository.default_branch
        });
        if name.is_none() && branch.is_none() {
            return Ok(false);
        }
        let change = repositories::Change {
            full_name: name.map(field::full_name).transpose()?,
            default_branch: branch.map(field::default_branch).transpose()?,
            ..repositories::Change::default()
        };
        let mut tx = self.pool.begin().await?;
        repositories::update(&mut tx, repository, change).await?;
        repositories::touch(&mut tx, repository.id).await?;
        let message = format!(
            "repository {} is {} at its provider now, with the default branch {}",
            repository.full_name, found.full_name, found.default_branch
        );
        let data = json!({ "now": found.full_name });
        record(
            &mut tx,
            ACTOR,
            "repository.followed",
            repository,
            message,
            data,
        )
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}
