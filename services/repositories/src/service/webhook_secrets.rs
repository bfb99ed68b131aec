//! The webhook secrets of repositories: chosen or random, sealed and opened.
use ck8s_types::{Invalid, RepositoryId};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;

use super::repositories::Repositories;
use crate::{
    domain::{
        fields,
        repository::Repository,
        sealed_row::{SealedRow, WebhookSecretId},
    },
    error::Error,
    store::webhook_secrets,
};

impl Repositories {
    /// Inserts the current webhook secret of a repository, sealed for its row.
    pub(super) async fn put_webhook_secret(
        &self,
        conn: &mut PgConnection,
        repository: RepositoryId,
        secret: &SecretString,
    ) -> Result<(), Error> {
        let id = WebhookSecretId::new();
        let row = SealedRow::WebhookSecret { id, repository };
        let sealed = self
            .key_ring
            .seal(&row.associated_data(), secret.expose_secret().as_bytes())?;
        webhook_secrets::insert(conn, id, repository, &sealed).await?;
        Ok(())
    }

    /// Returns the current webhook secret of a repository.
    pub(super) async fn current_webhook_secret(
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
}

/// Returns the secret that somebody chose, checked, or 32 random bytes in hex.
pub(super) fn chosen_or_random(chosen: Option<SecretString>) -> Result<SecretString, Invalid> {
    if let Some(secret) = chosen {
        fields::webhook_secret(secret.expose_secret())?;
        return Ok(secret);
    }
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    Ok(hex::encode(bytes).into())
}
