//! Syncs the repositories that nobody has synced for ten minutes: services.yaml, and the state of the hook.
use ck8s_types::RepositoryId;

use crate::{
    error::Error,
    service::repositories::Repositories,
    store::{pending_changes, provider_state, repositories},
};

/// How long services.yaml is not read unless somebody asks for it: a push that the hook did not deliver is noticed that
/// much later.
const SYNC_INTERVAL_SECONDS: f64 = 600.0;
/// Bounds the repositories of one round.
const MAX_SYNCS_PER_ROUND: i64 = 20;

/// What a round of syncs came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SyncOutcome {
    /// The repositories that were due.
    pub due: usize,
    /// How many of their files or hooks could not be read.
    pub failed: usize,
}

impl Repositories {
    /// Reads services.yaml and the hook of the repositories that are due.
    pub(crate) async fn sync_due(&self) -> Result<SyncOutcome, Error> {
        let due = {
            let mut conn = self.pool.acquire().await?;
            provider_state::take_due_for_sync(&mut conn, SYNC_INTERVAL_SECONDS, MAX_SYNCS_PER_ROUND)
                .await?
        };
        let mut outcome = SyncOutcome {
            due: due.len(),
            failed: 0,
        };
        for id in due {
            if let Err(error) = self.sync_services_file(id).await {
                outcome.failed += 1;
                tracing::warn!(repository.id = %id, %error, "services.yaml was not read");
            }
            if let Err(error) = self.sync_hook(id).await {
                outcome.failed += 1;
                tracing::warn!(repository.id = %id, %error, "the state of the hook was not read");
            }
        }
        Ok(outcome)
    }

    async fn sync_hook(&self, id: RepositoryId) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        let repository = repositories::get(&mut conn, id).await?;
        // A repository that ck8s made no hook for has one of its own.
        if repository.hook.id.is_none() || pending_changes::get(&mut conn, id).await?.is_some() {
            return Ok(());
        }
        let remote = self.remote(&mut conn, &repository).await?;
        drop(conn);
        if let Err(problem) = self.inspect_hook(&remote, &repository).await? {
            tracing::warn!(repository.id = %id, problem, "the hook is not as it should be");
        }
        Ok(())
    }
}
