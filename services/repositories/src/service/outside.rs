//! The provider, as the use cases reach it: with the credential of one repository.
use std::sync::Arc;

use ck8s_provider::{Credential, ProviderError, Remote, RepositoryProvider};
use ck8s_rpc::rate::Rate;
use ck8s_types::RepositoryId;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use super::{Repositories, looks::Looks, writers::Writers};
use crate::{
    domain::row::Row,
    error::Error,
    store::{
        credentials::{self, Stored},
        remote,
        repositories::Repository,
        webhook_secrets,
    },
};

/// What is needed to look after repositories at their provider.
pub struct LookAfter {
    /// The provider.
    pub api: Arc<dyn RepositoryProvider>,
    /// Where its hooks post to.
    pub hook_url: String,
    /// Where links lead to.
    pub console_url: String,
    /// The database, to hear of what others do.
    pub database_url: SecretString,
}

/// The provider, where its hooks post to, and what is remembered of it.
pub struct Outside {
    pub api: Arc<dyn RepositoryProvider>,
    pub hook_url: String,
    pub console_url: String,
    pub writers: Writers,
    pub looks: Looks,
    /// How often each repository is checked: a check is a dozen questions.
    pub checks: Rate<Uuid>,
    /// The repositories whose hook's ping came, whichever replica heard of it.
    pub pings: broadcast::Sender<Uuid>,
    /// Runs changed.
    pub runs_changed: Notify,
    /// Repositories changed: a credential, perhaps.
    pub repositories_changed: Notify,
    pub database_url: SecretString,
}

/// Checks of one repository in a minute.
const CHECKS: u32 = 12;
/// Pings that a waiter may be behind.
const PINGS: usize = 64;

impl Outside {
    pub fn new(with: LookAfter) -> Self {
        Self {
            api: with.api,
            hook_url: with.hook_url,
            console_url: with.console_url,
            writers: Writers::default(),
            looks: Looks::default(),
            checks: Rate::per_minute(CHECKS),
            pings: broadcast::channel(PINGS).0,
            runs_changed: Notify::new(),
            repositories_changed: Notify::new(),
            database_url: with.database_url,
        }
    }

    /// Where people see a run.
    pub fn run_page(&self, run: &str) -> String {
        format!("{}/#/runs/{run}", self.console_url)
    }
}

/// One repository at its provider.
#[derive(Clone)]
pub struct Far {
    pub outside: Arc<Outside>,
    pub credential: Credential,
    pub remote: Remote,
}

impl Far {
    /// The provider.
    pub fn api(&self) -> &dyn RepositoryProvider {
        self.outside.api.as_ref()
    }
}

/// The provider's error, with what was being done.
pub fn at(step: &'static str) -> impl FnOnce(ProviderError) -> Error {
    move |error| Error::Provider { step, error }
}

impl Repositories {
    /// The provider, if the server was set up for it.
    pub(super) fn outside(&self) -> Result<&Arc<Outside>, Error> {
        self.outside.as_ref().ok_or(Error::NoProvider)
    }

    /// A repository at its provider; FAILED_PRECONDITION without a credential.
    pub(super) async fn far(
        &self,
        conn: &mut PgConnection,
        repository: &Repository,
    ) -> Result<Far, Error> {
        let stored = credentials::get(conn, repository.id).await?;
        let stored = stored.ok_or_else(|| Error::NoCredential(repository.full_name.clone()))?;
        Ok(Far {
            outside: self.outside()?.clone(),
            credential: self.opened(repository.id.into(), stored)?,
            remote: Remote {
                external_id: repository.external_id.clone(),
                full_name: repository.full_name.clone(),
                default_branch: repository.default_branch.clone(),
            },
        })
    }

    /// Gives a repository this credential, sealed for its row.
    pub(super) async fn put_credential(
        &self,
        conn: &mut PgConnection,
        repository: RepositoryId,
        credential: &Credential,
    ) -> Result<(), Error> {
        let (app, secret) = match credential {
            Credential::Token(token) => (None, token),
            Credential::App {
                app_id,
                installation_id,
                private_key,
            } => (Some((app_id.clone(), installation_id.clone())), private_key),
        };
        let row = Row::Credential { repository };
        let sealed = self
            .key_ring
            .seal(&row.associated_data(), secret.expose_secret().as_bytes())?;
        credentials::put(conn, repository.uuid(), &Stored { app, sealed }).await?;
        Ok(())
    }

    fn opened(&self, repository: RepositoryId, stored: Stored) -> Result<Credential, Error> {
        let row = Row::Credential { repository };
        let secret = self
            .key_ring
            .open_text(&row.associated_data(), &stored.sealed)?;
        Ok(match stored.app {
            None => Credential::Token(secret),
            Some((app_id, installation_id)) => Credential::App {
                app_id,
                installation_id,
                private_key: secret,
            },
        })
    }

    /// The current webhook secret of a repository.
    pub(super) async fn current_secret(
        &self,
        conn: &mut PgConnection,
        repository: &Repository,
    ) -> Result<SecretString, Error> {
        let secrets = webhook_secrets::valid(conn, &[repository.id]).await?;
        let missing = || Error::NotFound(repository.full_name.clone());
        let current = secrets.first().ok_or_else(missing)?;
        Ok(self
            .key_ring
            .open_text(&current.row().associated_data(), &current.sealed)?)
    }

    /// Notes what an error of the provider says of the repository: until when to wait.
    pub(super) async fn note_error(&self, repository: &Repository, error: &ProviderError) {
        tracing::warn!(repository.id = %repository.id, %error, "the provider did not do what it was asked");
        let ProviderError::Limited { until, .. } = error else {
            return;
        };
        let noted = async {
            let mut conn = self.pool.acquire().await?;
            remote::set_waits_until(&mut conn, repository.id, *until).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "not noted");
        }
    }
}
