//! Adds a repository that people maintain by hand, or hands one with a credential to `add_managed`.
use ck8s_provider::Credential;
use ck8s_types::{EventKind, RepositoryId};
use secrecy::SecretString;
use serde_json::Value;

use super::{
    events::{self, RepositoryEvent},
    repeated_calls,
    repositories::Repositories,
    webhook_secrets::chosen_or_random,
};
use crate::{
    domain::{
        caller::Caller,
        fields,
        repository::{BranchSource, NewRepository, RepositoryWithSecret},
    },
    error::Error,
    store::repositories,
};

/// A repository to add.
pub(crate) struct AddRepository {
    /// Id or slug.
    pub project: String,
    pub full_name: String,
    /// Empty: the provider's.
    pub external_id: String,
    /// Empty: the provider's, or main.
    pub default_branch: String,
    pub services_text: String,
    /// None: a random one.
    pub webhook_secret: Option<SecretString>,
    /// Empty: `.ck8s/services.yaml`.
    pub services_path: String,
    /// The credential that ck8s manages the repository with; none: people maintain it by hand.
    pub credential: Option<Credential>,
}

impl AddRepository {
    /// Returns who chose the default branch.
    pub(super) fn branch_source(&self) -> BranchSource {
        if self.default_branch.is_empty() {
            BranchSource::Provider
        } else {
            BranchSource::Person
        }
    }
}

impl Repositories {
    /// Adds a repository, with its hook if there is a credential for it.
    pub(crate) async fn add(
        &self,
        caller: Caller,
        mut add: AddRepository,
    ) -> Result<RepositoryWithSecret, Error> {
        if let Some(credential) = add.credential.take() {
            return self.add_managed(caller, add, credential).await;
        }
        let secret = chosen_or_random(add.webhook_secret.clone())?;
        self.services.parse(&add.services_text)?;
        let new = NewRepository {
            full_name: fields::full_name(&add.full_name)?,
            external_id: fields::external_id(&add.external_id)?,
            default_branch: fields::default_branch(&add.default_branch)?,
            branch_source: add.branch_source(),
            services_text: &add.services_text,
            services_path: fields::services_path(&add.services_path)?,
            id: RepositoryId::new(),
            project_id: self
                .authorize_project(&caller.access, add.project.clone())
                .await?,
        };
        self.insert(&caller, &new, secret).await
    }

    async fn insert(
        &self,
        caller: &Caller,
        new: &NewRepository<'_>,
        secret: SecretString,
    ) -> Result<RepositoryWithSecret, Error> {
        let mut tx = self.pool.begin().await?;
        if let Some(repository) = repeated_calls::claim(&mut tx, caller).await? {
            return Ok(RepositoryWithSecret {
                view: self.view(repository),
                webhook_secret: None,
            });
        }
        repositories::insert(&mut tx, new).await?;
        self.put_webhook_secret(&mut tx, new.id, &secret).await?;
        let repository = repositories::get(&mut tx, new.id).await?;
        let event = RepositoryEvent {
            kind: EventKind::RepositoryAdded,
            actor: &caller.actor,
            message: format!("repository {} added", new.full_name),
            data: Value::Null,
        };
        events::record(&mut tx, &repository, event).await?;
        repositories::notify(&mut tx, new.external_id).await?;
        repeated_calls::keep_answer(&mut tx, caller, &repository).await?;
        tx.commit().await?;
        Ok(RepositoryWithSecret {
            view: self.view(repository),
            webhook_secret: Some(secret),
        })
    }
}
