//! Checks a repository: credential, permissions, hook, deliveries, services.yaml, and the provider's limits.
use ck8s_rpc::project_access::Access;
use ck8s_types::RepositoryId;
use time::{Duration, OffsetDateTime};

use super::{findings, provider::RemoteRepository, repositories::Repositories};
use crate::{
    domain::{finding::Finding, repository::Repository},
    error::Error,
    store::webhook_secrets,
};

/// Bounds how old the last delivery of the findings is.
const MAX_DELIVERY_AGE: Duration = Duration::days(1);

impl Repositories {
    /// Checks a repository, at most a few times a minute.
    pub(crate) async fn check(&self, access: &Access, name: &str) -> Result<Vec<Finding>, Error> {
        let repository = self.find_authorized(access, name).await?;
        if !repository.is_managed() {
            let services = self.services.of(&repository);
            return Ok(findings::maintained_by_hand(&repository, &services));
        }
        let checks = &self.provider()?.checks;
        checks.check(repository.id).map_err(Error::TooManyChecks)?;
        self.findings(repository.id).await
    }

    /// Reads services.yaml, asks the provider, and returns how everything stands.
    pub(super) async fn findings(&self, id: RepositoryId) -> Result<Vec<Finding>, Error> {
        self.sync_services_file(id).await?;
        let (repository, remote) = self.load_remote(id).await?;
        let mut found = Vec::new();
        let lookup = remote
            .api()
            .find_repository(&remote.credential, &repository.full_name)
            .await;
        match lookup {
            Ok((other, missing)) => {
                found.extend(findings::name(&repository, &other));
                found.extend(findings::permissions(&repository, &missing));
                found.push(self.check_hook(&remote, &repository).await?);
                found.push(check_delivery(&remote, &repository).await);
            }
            Err(error) => {
                self.note_provider_error(&repository, &error).await;
                found.push(findings::unusable_token(&error));
            }
        }
        found.push(findings::services_file(&repository));
        let services = self.services.of(&repository);
        found.extend(findings::undelivered_event(remote.api(), &services));
        found.extend(findings::warnings(&services));
        found.push(findings::rate_limit(&remote, &repository));
        Ok(found)
    }

    async fn check_hook(
        &self,
        remote: &RemoteRepository,
        repository: &Repository,
    ) -> Result<Finding, Error> {
        let state = match self.inspect_hook(remote, repository).await {
            Ok(state) => state,
            Err(Error::Provider { error, .. }) => {
                return Ok(findings::provider_error("hook", &error));
            }
            Err(error) => return Err(error),
        };
        let mut conn = self.pool.acquire().await?;
        let secrets = webhook_secrets::valid(&mut conn, &[repository.id]).await?;
        let previous_until = secrets.into_iter().find_map(|secret| secret.expires_at);
        Ok(findings::hook(state, previous_until))
    }
}

async fn check_delivery(remote: &RemoteRepository, repository: &Repository) -> Finding {
    let Some(hook_id) = repository.hook.id.as_deref() else {
        return Finding::unknown("delivery", "ck8s made no hook");
    };
    let since = OffsetDateTime::now_utc() - MAX_DELIVERY_AGE;
    let attempts = remote
        .api()
        .list_delivery_attempts(&remote.credential, &remote.remote, hook_id, since)
        .await;
    findings::delivery(&repository.hook, attempts)
}
