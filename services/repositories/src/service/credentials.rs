//! The credentials of repositories, sealed and opened, and the repositories that they reach at the provider.
use ck8s_provider::{Credential, ProviderError, Remote};
use ck8s_types::RepositoryId;
use secrecy::ExposeSecret;
use sqlx::PgConnection;

use super::{provider::RemoteRepository, repositories::Repositories};
use crate::{
    domain::{caller::Caller, repository::Repository, sealed_row::SealedRow},
    error::Error,
    store::{
        credentials::{self, AppInstallation, SealedCredential},
        provider_state, repositories,
    },
};

impl Repositories {
    /// Returns a repository at its provider; an error without a credential.
    pub(super) async fn remote(
        &self,
        conn: &mut PgConnection,
        repository: &Repository,
    ) -> Result<RemoteRepository, Error> {
        let sealed = credentials::get(conn, repository.id).await?;
        let sealed = sealed.ok_or_else(|| Error::NoCredential(repository.full_name.clone()))?;
        Ok(RemoteRepository {
            provider: self.provider()?.clone(),
            credential: self.open_credential(repository.id, sealed)?,
            remote: Remote {
                external_id: repository.external_id.clone(),
                full_name: repository.full_name.clone(),
                default_branch: repository.default_branch.name.clone(),
            },
        })
    }

    /// Reads a repository by its id, with how it is reached at its provider.
    pub(super) async fn load_remote(
        &self,
        id: RepositoryId,
    ) -> Result<(Repository, RemoteRepository), Error> {
        let mut conn = self.pool.acquire().await?;
        let repository = repositories::get(&mut conn, id).await?;
        let remote = self.remote(&mut conn, &repository).await?;
        Ok((repository, remote))
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
            } => {
                let app = AppInstallation {
                    app_id: app_id.clone(),
                    installation_id: installation_id.clone(),
                };
                (Some(app), private_key)
            }
        };
        let row = SealedRow::Credential { repository };
        let sealed = self
            .key_ring
            .seal(&row.associated_data(), secret.expose_secret().as_bytes())?;
        credentials::put(conn, repository, &SealedCredential { app, sealed }).await
    }

    /// Says why a credential cannot prove this repository for a project: another one's does. Whoever does not reach
    /// that project is not told of it.
    pub(super) async fn unclaimable(&self, caller: &Caller, external_id: &str) -> Error {
        let manager = async {
            let mut conn = self.pool.acquire().await?;
            repositories::manager(&mut conn, external_id).await
        };
        match manager.await {
            Ok(Some(project)) if caller.access.role_in(project).is_some() => {
                Error::ExternalIdTaken(external_id.to_owned())
            }
            Ok(_) => Error::ManagedElsewhere,
            Err(error) => error.into(),
        }
    }

    fn open_credential(
        &self,
        repository: RepositoryId,
        credential: SealedCredential,
    ) -> Result<Credential, Error> {
        let row = SealedRow::Credential { repository };
        let secret = self
            .key_ring
            .open_text(&row.associated_data(), &credential.sealed)?;
        Ok(match credential.app {
            None => Credential::Token(secret),
            Some(app) => Credential::App {
                app_id: app.app_id,
                installation_id: app.installation_id,
                private_key: secret,
            },
        })
    }

    /// Logs a failed request to the provider, and notes until when the provider takes no requests.
    pub(super) async fn note_provider_error(&self, repository: &Repository, error: &ProviderError) {
        tracing::warn!(repository.id = %repository.id, %error, "a request to the provider failed");
        let ProviderError::RateLimited { until, .. } = error else {
            return;
        };
        let noted = async {
            let mut conn = self.pool.acquire().await?;
            provider_state::set_limited_until(&mut conn, repository.id, *until).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "the provider's limit was not noted");
        }
    }
}
