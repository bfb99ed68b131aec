//! Sets or removes a secret of a repository's runs.
use ck8s_types::EventKind;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    access::lock_authorized,
    events::{self, RepositoryEvent},
    repeated_calls,
    repositories::Repositories,
};
use crate::{
    domain::{
        caller::Caller,
        fields,
        repository::{Repository, RepositoryView},
        run_secret::Binding,
        sealed_row::SealedRow,
    },
    error::Error,
    store::secrets,
};

/// A secret of runs to set.
pub(crate) struct SetSecret {
    /// Id or owner/name.
    pub repository: String,
    pub name: String,
    /// None: the secret is removed.
    pub value: Option<SecretString>,
    /// None: as it was.
    pub binding: Option<Binding>,
}

impl Repositories {
    pub(crate) async fn set_secret(
        &self,
        caller: Caller,
        set: SetSecret,
    ) -> Result<RepositoryView, Error> {
        let name = fields::secret_name(&set.name)?;
        if let Some(value) = &set.value {
            fields::secret_value(value.expose_secret())?;
        } else if set.binding.is_some() {
            let problem = "goes with a value";
            return Err(Error::invalid("binding", problem));
        }
        self.authorize_change(&caller, &set.repository).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(repository) = repeated_calls::claim(&mut tx, &caller).await? {
            return Ok(self.view(repository));
        }
        let before = lock_authorized(&mut tx, &caller, &set.repository).await?;
        let change = match &set.value {
            Some(value) => {
                let row = SealedRow::Secret {
                    repository: before.id,
                    name,
                };
                let sealed = self
                    .key_ring
                    .seal(&row.associated_data(), value.expose_secret().as_bytes())?;
                secrets::set(&mut tx, before.id, name, &sealed, set.binding.as_ref()).await?;
                Some((EventKind::SecretSet, "set"))
            }
            None => {
                let was_there = secrets::remove(&mut tx, before.id, name).await?;
                was_there.then_some((EventKind::SecretRemoved, "removed"))
            }
        };
        let repository = match change {
            Some((kind, verb)) => {
                let repository = events::touch(&mut tx, &before).await?;
                let event = RepositoryEvent {
                    kind,
                    actor: &caller.actor,
                    message: format!("secret {name} of {} {verb}", repository.full_name),
                    data: json!({ "name": name, "triggers": triggers(&repository, name) }),
                };
                events::record(&mut tx, &repository, event).await?;
                repository
            }
            None => before,
        };
        repeated_calls::keep_answer(&mut tx, &caller, &repository).await?;
        tx.commit().await?;
        Ok(self.view(repository))
    }
}

/// Returns the triggers that a secret of a repository is bound to.
fn triggers<'a>(repository: &'a Repository, name: &str) -> &'a [String] {
    let secret = repository.secrets.iter().find(|secret| secret.name == name);
    secret.map_or(&[], |secret| secret.binding.names())
}
