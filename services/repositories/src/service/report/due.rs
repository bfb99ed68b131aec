//! Which repositories have reports to make, and which replica makes them.
use ck8s_db::Lock;
use ck8s_types::RepositoryId;

use crate::{
    domain::report::DueRepository, error::Error, service::repositories::Repositories,
    store::reports,
};

impl Repositories {
    /// Takes the lock of the replica that reports; none: another replica holds it.
    pub(crate) async fn lock_reports(&self) -> Result<Option<Lock>, Error> {
        Ok(reports::lock(&self.pool).await?)
    }

    /// Returns repositories whose runs are to be reported: neither busy ones, nor those that rest with the same
    /// credential.
    pub(crate) async fn due_repositories(
        &self,
        busy: &[RepositoryId],
        resting: &[DueRepository],
        limit: usize,
    ) -> Result<Vec<DueRepository>, Error> {
        let mut conn = self.pool.acquire().await?;
        Ok(reports::due(&mut conn, busy, resting, limit).await?)
    }
}
