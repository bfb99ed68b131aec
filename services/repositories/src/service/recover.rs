//! What a crash, or a provider that was away, left half done: an addition is undone; a removal or a new webhook secret is ended.
use ck8s_provider::ProviderError;
use ck8s_rpc::status;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Repositories, change::record, outside::at};
use crate::{
    domain::repository as field,
    error::Error,
    store::{
        credentials, remote,
        repositories::{self, Repository},
        secrets, webhook_secrets,
        works::{self, Held, Kind},
    },
};

/// As flow events name whoever does what nobody asked for.
pub(super) const ACTOR: &str = "service:repositories";

impl Repositories {
    /// Takes the lock of a repository for a change at its provider, and reads it again; what was left before is brought to its end first.
    pub(super) async fn hold(&self, repository: &Repository) -> Result<(Held, Repository), Error> {
        let busy = || Error::Busy(repository.full_name.clone());
        let held = self.locked(repository.id).await?;
        let held = held.ok_or_else(busy)?;
        let ready = async {
            self.recover(&held).await?;
            let mut conn = self.pool.acquire().await?;
            repositories::get(&mut conn, repository.id).await
        };
        match ready.await {
            Ok(repository) => Ok((held, repository)),
            Err(error) => {
                held.release().await;
                Err(error)
            }
        }
    }

    /// The lock of a repository for a change at its provider; none: somebody has it.
    pub(super) async fn locked(&self, repository: Uuid) -> Result<Option<Held>, Error> {
        let room = self.changes.clone().acquire_owned().await;
        let room = room.map_err(|fault| Error::Peer(Box::new(status::internal(&fault))))?;
        Ok(works::hold(&self.pool, room, repository).await?)
    }

    /// Brings what was left of a repository to its end. Fails where the provider is away: then it is for later.
    pub(super) async fn recover(&self, held: &Held) -> Result<(), Error> {
        let (left, repository) = {
            let mut conn = self.pool.acquire().await?;
            let Some(left) = works::of(&mut conn, held.repository).await? else {
                return Ok(());
            };
            match repositories::get(&mut conn, held.repository).await {
                Ok(repository) => (left, repository),
                // It was removed by hand meanwhile.
                Err(Error::NotFound(_)) => return Ok(works::end(&mut conn, held).await?),
                Err(error) => return Err(error),
            }
        };
        let kind = left.kind;
        match kind {
            Kind::Rotate => self.end_rotation(held, &repository).await,
            Kind::Add | Kind::Remove => {
                let left = self.without_hook(&repository, &left.hook_url).await?;
                let mut tx = self.pool.begin().await?;
                let (kind, done) = match kind {
                    Kind::Add => ("repository.undone", "was not added: it is undone"),
                    _ => ("repository.removed", "removed, with its secrets"),
                };
                let message = format!("repository {} {done}", repository.full_name);
                forget(&mut tx, held, &repository).await?;
                let data = json!({ "hook_left": left });
                record(&mut tx, ACTOR, kind, &repository, message, data).await?;
                tx.commit().await?;
                Ok(())
            }
        }
    }

    /// Removes the hook; what it says is why it cannot, ever. An error: it may later.
    async fn without_hook(
        &self,
        repository: &Repository,
        begun_at: &str,
    ) -> Result<Option<String>, Error> {
        let mut conn = self.pool.acquire().await?;
        let far = self.far(&mut conn, repository).await?;
        drop(conn);
        let known = repository.hook_id.as_deref();
        match far.drop_hooks(known, Some(begun_at)).await {
            Ok(()) => Ok(None),
            Err(error) if error.passes() => {
                self.note_error(repository, &error).await;
                Err(at("removing the hook")(error))
            }
            Err(error) => Ok(Some(error.to_string())),
        }
    }

    /// Has the provider sign with the current secret; then the one before counts for a day, or until a delivery shows that it does.
    pub(super) async fn end_rotation(
        &self,
        held: &Held,
        repository: &Repository,
    ) -> Result<(), Error> {
        let (far, secret) = {
            let mut conn = self.pool.acquire().await?;
            // However long it takes: the provider signs with the old one until it is told.
            webhook_secrets::prolong(&mut conn, repository.id, field::overlap_seconds(0)?).await?;
            let far = self.far(&mut conn, repository).await?;
            (far, self.current_secret(&mut conn, repository).await?)
        };
        let put = far.put_hook(repository.hook_id.as_deref(), &secret).await;
        if let Err(Error::Provider { error, .. }) = &put
            && !error.passes()
        {
            let mut tx = self.pool.begin().await?;
            // It was refused, so the provider still signs with the one before.
            webhook_secrets::restore(&mut tx, repository.id).await?;
            works::end(&mut tx, held).await?;
            repositories::touch(&mut tx, repository.id).await?;
            tx.commit().await?;
        }
        let hook_id = put?;
        let mut tx = self.pool.begin().await?;
        remote::set_hook(&mut tx, repository.id, &hook_id).await?;
        works::end(&mut tx, held).await?;
        repositories::touch(&mut tx, repository.id).await?;
        tx.commit().await?;
        // A delivery that is signed with the new one, at once: it ends the old one.
        if let Err(error) = far.ping(&hook_id).await {
            tracing::warn!(%error, "the hook was not pinged");
        }
        Ok(())
    }

    /// Looks for what was left, and brings it to its end.
    pub(crate) async fn recover_all(&self) -> Result<(), Error> {
        let left: Vec<Uuid> = {
            let mut conn = self.pool.acquire().await?;
            works::all(&mut conn).await?
        };
        for repository in left {
            // Somebody is at it.
            let Some(held) = self.locked(repository).await? else {
                continue;
            };
            match self.recover(&held).await {
                Ok(()) => {
                    tracing::info!(repository.id = %repository, "what was left half done is at its end");
                }
                Err(error) => {
                    tracing::warn!(repository.id = %repository, %error, "it stays half done for now");
                }
            }
            held.release().await;
        }
        Ok(())
    }
}

/// The repository goes, with all that is secret of it.
pub(super) async fn forget(
    conn: &mut PgConnection,
    held: &Held,
    repository: &Repository,
) -> Result<(), Error> {
    works::end(conn, held).await?;
    credentials::remove(conn, repository.id).await?;
    webhook_secrets::remove_all(conn, repository.id).await?;
    secrets::remove_all(conn, repository.id).await?;
    repositories::remove(conn, repository).await?;
    repositories::touch(conn, repository.id).await?;
    Ok(())
}

/// In words, for the answer, why a hook was left.
pub(super) fn left(error: &ProviderError) -> String {
    format!("{error}; remove it there by hand")
}
