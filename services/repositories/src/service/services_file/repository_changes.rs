//! Follows the provider to another name or default branch of a repository.
use ck8s_provider::Remote;
use ck8s_types::EventKind;
use serde_json::json;

use crate::{
    domain::{
        fields,
        repository::{BranchSource, Repository, RepositoryChange},
    },
    error::Error,
    service::{
        events::{self, RepositoryEvent, SERVICE_ACTOR},
        repositories::Repositories,
    },
    store::repositories,
};

impl Repositories {
    /// Takes over the provider's name and, unless somebody chose another one, its default branch. Returns whether
    /// anything changed.
    pub(super) async fn follow_provider(
        &self,
        repository: &Repository,
        found: &Remote,
    ) -> Result<bool, Error> {
        let name = Some(found.full_name.as_str()).filter(|name| *name != repository.full_name);
        let own = &repository.default_branch;
        let branch = Some(found.default_branch.as_str())
            .filter(|branch| own.source == BranchSource::Provider && *branch != own.name);
        if name.is_none() && branch.is_none() {
            return Ok(false);
        }
        let change = RepositoryChange {
            full_name: name.map(fields::full_name).transpose()?,
            default_branch: branch.map(fields::default_branch).transpose()?,
            ..RepositoryChange::default()
        };
        let mut tx = self.pool.begin().await?;
        repositories::update(&mut tx, repository, change).await?;
        repositories::touch(&mut tx, repository.id).await?;
        let event = RepositoryEvent {
            kind: EventKind::RepositoryFollowed,
            actor: SERVICE_ACTOR,
            message: format!(
                "repository {} is {} at its provider now, with the default branch {}",
                repository.full_name, found.full_name, found.default_branch
            ),
            data: json!({ "now": found.full_name }),
        };
        events::record(&mut tx, repository, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}
