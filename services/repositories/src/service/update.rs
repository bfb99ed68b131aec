//! Changes fields of a repository.
use ck8s_types::EventKind;
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
        repository::{BranchSource, RepositoryChange, RepositoryView},
    },
    error::Error,
    store::repositories,
};

/// Fields of a repository to change; none: the field stays.
#[derive(Default)]
pub(crate) struct UpdateRepository {
    /// Id or owner/name.
    pub repository: String,
    pub full_name: Option<String>,
    pub default_branch: Option<String>,
    pub services_text: Option<String>,
    pub services_path: Option<String>,
    /// The version that the caller has read; empty: any.
    pub etag: String,
}

impl Repositories {
    pub(crate) async fn update(
        &self,
        caller: Caller,
        update: UpdateRepository,
    ) -> Result<RepositoryView, Error> {
        if let Some(text) = &update.services_text {
            self.services.parse(text)?;
        }
        let (change, changed_fields) = checked(&update)?;
        self.authorize_change(&caller, &update.repository).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(repository) = repeated_calls::claim(&mut tx, &caller).await? {
            return Ok(self.view(repository));
        }
        let before = lock_authorized(&mut tx, &caller, &update.repository).await?;
        if !update.etag.is_empty() && update.etag != before.version.to_string() {
            return Err(Error::Changed);
        }
        if before.is_managed() && change.services_text.is_some() {
            let problem = "is read from the repository, where ck8s has a credential for it";
            return Err(Error::invalid("services_text", problem));
        }
        repositories::update(&mut tx, &before, change).await?;
        let repository = events::touch(&mut tx, &before).await?;
        let event = RepositoryEvent {
            kind: EventKind::RepositoryUpdated,
            actor: &caller.actor,
            message: format!(
                "{} of repository {} changed",
                changed_fields.join(", "),
                repository.full_name
            ),
            data: json!({ "fields": changed_fields }),
        };
        events::record(&mut tx, &repository, event).await?;
        repeated_calls::keep_answer(&mut tx, &caller, &repository).await?;
        tx.commit().await?;
        let is_elsewhere = change.default_branch.is_some() || change.services_path.is_some();
        if before.is_managed()
            && is_elsewhere
            && let Err(error) = self.sync_services_file(before.id).await
        {
            tracing::warn!(%error, "services.yaml is read with the next sync");
        }
        Ok(self.view(repository))
    }
}

/// Checks the fields, and returns the change with the names of the fields that it sets.
fn checked(update: &UpdateRepository) -> Result<(RepositoryChange<'_>, Vec<&'static str>), Error> {
    let (mut change, mut changed_fields) = (RepositoryChange::default(), Vec::new());
    if let Some(name) = &update.full_name {
        change.full_name = Some(fields::full_name(name)?);
        changed_fields.push("full_name");
    }
    if let Some(branch) = &update.default_branch {
        change.default_branch = Some(fields::default_branch(branch)?);
        change.branch_source = Some(BranchSource::Person);
        changed_fields.push("default_branch");
    }
    if let Some(text) = &update.services_text {
        change.services_text = Some(text);
        changed_fields.push("services_text");
    }
    if let Some(path) = &update.services_path {
        let path = fields::services_path(path)?;
        change.services_path = Some(path.unwrap_or(fields::DEFAULT_SERVICES_PATH));
        changed_fields.push("services_path");
    }
    Ok((change, changed_fields))
}
