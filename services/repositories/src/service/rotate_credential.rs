//! Replaces the credential that ck8s manages a repository with.
use ck8s_provider::Credential;
use ck8s_types::EventKind;
use serde_json::json;

use super::{
    access::lock_authorized,
    events::{self, RepositoryEvent},
    repeated_calls,
    repositories::Repositories,
};
use crate::{
    domain::{caller::Caller, repository::RepositoryView},
    error::Error,
    store::provider_state,
};

impl Repositories {
    /// Takes another credential, once the provider said that it suffices for this very repository.
    pub(crate) async fn rotate_credential(
        &self,
        caller: Caller,
        name: &str,
        credential: Credential,
    ) -> Result<RepositoryView, Error> {
        self.authorize_change(&caller, name).await?;
        {
            let mut conn = self.pool.acquire().await?;
            if let Some(repository) = repeated_calls::find_answer(&mut conn, &caller).await? {
                return Ok(self.view(repository));
            }
        }
        let repository = self.find_authorized(&caller.access, name).await?;
        let provider = self.provider()?;
        let (found, actor) = provider.inspect(&credential, &repository.full_name).await?;
        if found.external_id != repository.external_id {
            let problem = format!(
                "it sees another repository of that name: {} instead of {}",
                found.external_id, repository.external_id
            );
            return Err(Error::invalid("credential", problem));
        }
        let mut tx = self.pool.begin().await?;
        if let Some(repository) = repeated_calls::claim(&mut tx, &caller).await? {
            return Ok(self.view(repository));
        }
        let before = lock_authorized(&mut tx, &caller, name).await?;
        if before.id != repository.id {
            return Err(Error::Changed);
        }
        let put = self.put_credential(&mut tx, before.id, &credential).await;
        if let Err(Error::ManagedElsewhere) = put {
            tx.rollback().await?;
            return Err(self.unclaimable(&caller, &before.external_id).await);
        }
        put?;
        provider_state::set_actor(&mut tx, before.id, &actor).await?;
        let repository = events::touch(&mut tx, &before).await?;
        let event = RepositoryEvent {
            kind: EventKind::RepositoryCredentialRotated,
            actor: &caller.actor,
            message: format!("credential of {} replaced", repository.full_name),
            data: json!({ "acts_as": actor.login }),
        };
        events::record(&mut tx, &repository, event).await?;
        repeated_calls::keep_answer(&mut tx, &caller, &repository).await?;
        tx.commit().await?;
        Ok(self.view(repository))
    }
}
