//! Mends the hook of a repository.
use serde_json::Value;

use super::{background::run_in_background, repeated_calls, repositories::Repositories};
use crate::{
    domain::{caller::Caller, finding::Finding, repository::Repository},
    error::Error,
    store::{provider_state, repositories},
};

impl Repositories {
    /// Makes the hook what it should be, and checks the repository then. A call that is repeated does so again, which
    /// is harmless.
    pub(crate) async fn mend(&self, caller: Caller, name: &str) -> Result<Vec<Finding>, Error> {
        self.authorize_change(&caller, name).await?;
        {
            let mut conn = self.pool.acquire().await?;
            repeated_calls::find_answer::<Value>(&mut conn, &caller).await?;
        }
        let repository = self.find_authorized(&caller.access, name).await?;
        if !repository.is_managed() {
            return Err(Error::NoCredential(repository.full_name));
        }
        let (this, id) = (self.clone(), repository.id);
        run_in_background(async move { this.mend_hook(&caller, &repository).await }).await?;
        self.findings(id).await
    }

    async fn mend_hook(&self, caller: &Caller, repository: &Repository) -> Result<(), Error> {
        let (lock, repository) = self.lock_for_change(repository).await?;
        let mended = self.mend_locked(caller, &repository).await;
        lock.release().await;
        mended
    }

    async fn mend_locked(&self, caller: &Caller, repository: &Repository) -> Result<(), Error> {
        let (remote, secret) = {
            let mut conn = self.pool.acquire().await?;
            let remote = self.remote(&mut conn, repository).await?;
            let secret = self.current_webhook_secret(&mut conn, repository).await?;
            (remote, secret)
        };
        let hook_id = remote
            .put_hook(repository.hook.id.as_deref(), &secret)
            .await?;
        {
            let mut tx = self.pool.begin().await?;
            if repeated_calls::claim::<Value>(&mut tx, caller)
                .await?
                .is_none()
            {
                repeated_calls::keep_answer(&mut tx, caller, &Value::Null).await?;
            }
            if provider_state::set_hook(&mut tx, repository.id, &hook_id).await? {
                repositories::touch(&mut tx, repository.id).await?;
            }
            tx.commit().await?;
        }
        match self
            .ping_until_received(&remote, repository.id, &hook_id)
            .await
        {
            // The findings say what is wrong with deliveries.
            Ok(()) | Err(Error::NoPing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
