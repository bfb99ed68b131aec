//! Lists the repositories that may have a schedule, for ingress, which asks when they are due.
use ck8s_types::RepositoryId;

use super::repositories::Repositories;
use crate::{error::Error, store::repositories};

impl Repositories {
    /// Returns a page of the repositories whose services.yaml speaks of a schedule: the provider's ids, and where the
    /// next page begins.
    pub(crate) async fn list_scheduled(
        &self,
        after: Option<RepositoryId>,
        limit: usize,
    ) -> Result<(Vec<String>, Option<RepositoryId>), Error> {
        let mut conn = self.pool.acquire().await?;
        let page = repositories::scheduled(&mut conn, after, limit).await?;
        let next = page
            .last()
            .map(|(id, _)| *id)
            .filter(|_| page.len() == limit);
        let external_ids = page.into_iter().map(|(_, external_id)| external_id);
        Ok((external_ids.collect(), next))
    }
}
