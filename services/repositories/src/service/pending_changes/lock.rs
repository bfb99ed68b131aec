//! Takes the lock of a repository for a change at its provider.
use ck8s_types::RepositoryId;

use crate::{
    domain::repository::Repository,
    error::Error,
    service::repositories::Repositories,
    store::{
        pending_changes::{self, ChangeLock},
        repositories,
    },
};

impl Repositories {
    /// Takes the lock of a repository; none: somebody else holds it.
    pub(in crate::service) async fn try_lock(
        &self,
        repository: RepositoryId,
    ) -> Result<Option<ChangeLock>, Error> {
        let permit = self.change_permits.clone().acquire_owned().await;
        let permit = permit.map_err(|closed| Error::internal(&closed))?;
        Ok(pending_changes::lock(&self.pool, permit, repository).await?)
    }

    /// Takes the lock of a repository, recovers what an interrupted change left, and reads the repository again.
    pub(in crate::service) async fn lock_for_change(
        &self,
        repository: &Repository,
    ) -> Result<(ChangeLock, Repository), Error> {
        let lock = self.try_lock(repository.id).await?;
        let lock = lock.ok_or_else(|| Error::Busy(repository.full_name.clone()))?;
        let ready = async {
            self.recover(&lock).await?;
            let mut conn = self.pool.acquire().await?;
            repositories::get(&mut conn, repository.id).await
        };
        match ready.await {
            Ok(repository) => Ok((lock, repository)),
            Err(error) => {
                lock.release().await;
                Err(error)
            }
        }
    }
}
