//! services.yaml as it stands at the provider: read by etag, in force if it is good; if not, the last good one stays, and the commit
//! that broke it says so.
use ck8s_provider::{CommitState, CommitStatus, Fetched, ProviderError};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Repositories, outside::Far};
use crate::{
    domain::services_yaml,
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

impl Repositories {
    /// Looks at the file, and writes down what there is. The provider's error: nothing is known, and nothing changes.
    pub(super) async fn look(
        &self,
        far: &Far,
        repository: &Repository,
    ) -> Result<(), ProviderError> {
        let etag = repository.services_etag.as_deref();
        let fetched = far
            .api()
            .file(
                &far.credential,
                &far.remote,
                &repository.default_branch,
                &repository.services_path,
                etag,
            )
            .await;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                self.note_error(repository, &error).await;
                if !error.passes() {
                    let problem = format!("it cannot be read: {error}");
                    let look = Look {
                        problem: Some(&problem),
                        ..Look::default()
                    };
                    self.noted(repository, look).await;
                }
                return Err(error);
            }
        };
        let before = repository.services_problem.as_deref();
        match fetched {
            Fetched::Unchanged => {
                let look = Look {
                    problem: before.filter(|problem| !problem.starts_with("it cannot be read")),
                    ..Look::default()
                };
                self.noted(repository, look).await;
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
                self.noted(repository, look).await;
            }
            Fetched::File { text, etag, commit } => {
                let fault = services_yaml::parse(&text).err().map(|e| e.problem);
                let look = Look {
                    text: fault.is_none().then_some(text.as_str()),
                    etag: Some(&etag),
                    commit: Some(&commit),
                    problem: fault.as_deref(),
                };
                self.noted(repository, look).await;
                let (state, description) = match (&fault, before) {
                    (Some(fault), _) => (CommitState::Error, fault.as_str()),
                    (None, Some(_)) => (CommitState::Success, "it is in force"),
                    (None, None) => return Ok(()),
                };
                self.say(far, repository, &commit, state, description).await;
            }
        }
        Ok(())
    }

    async fn noted(&self, repository: &Repository, look: Look<'_>) {
        let noted = async {
            let mut tx = self.pool.begin().await?;
            if remote::looked(&mut tx, repository.id, look).await? {
                repositories::touch(&mut tx, repository.id).await?;
            }
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, repository.id = %repository.id, "a look at services.yaml was not written down");
        }
    }

    async fn say(
        &self,
        far: &Far,
        repository: &Repository,
        commit: &str,
        state: CommitState,
        description: &str,
    ) {
        let status = CommitStatus {
            state,
            context: CONTEXT.to_owned(),
            description: description.chars().take(LONGEST).collect(),
            url: String::new(),
        };
        let api = far.api();
        let said = api.set_status(&far.credential, &far.remote, commit, &status);
        if let Err(error) = said.await {
            self.note_error(repository, &error).await;
        }
    }

    /// Looks now.
    pub(crate) async fn look_now(&self, id: Uuid) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        let repository = repositories::get(&mut conn, id).await?;
        let far = self.far(&mut conn, &repository).await?;
        drop(conn);
        // What it says is written down and logged there.
        let _ = self.look(&far, &repository).await;
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

    /// The provider knows it by another name or another default branch.
    pub(super) async fn rename(&self, id: Uuid) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        let repository = repositories::get(&mut conn, id).await?;
        let far = self.far(&mut conn, &repository).await?;
        drop(conn);
        let looked = far.api().look_up(&far.credential, &repository.full_name);
        let found = match looked.await {
            Ok((found, _)) => found,
            Err(error) => {
                self.note_error(&repository, &error).await;
                return Ok(());
            }
        };
        let same = found.full_name == repository.full_name
            && found.default_branch == repository.default_branch;
        if found.external_id != repository.external_id || same {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        self.renamed(&mut tx, &repository, &found).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn renamed(
        &self,
        conn: &mut PgConnection,
        repository: &Repository,
        found: &ck8s_provider::Remote,
    ) -> Result<(), Error> {
        let change = repositories::Change {
            full_name: Some(crate::domain::repository::full_name(&found.full_name)?),
            default_branch: Some(crate::domain::repository::default_branch(
                &found.default_branch,
            )?),
            ..repositories::Change::default()
        };
        repositories::update(conn, repository, change).await?;
        repositories::touch(conn, repository.id).await?;
        Ok(())
    }
}
