//! The secrets that the repositories of a project share: set, removed and listed.
use ck8s_db::events::{self, FlowEvent};
use ck8s_rpc::project_access::Access;
use ck8s_types::EventKind;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{repeated_calls, repositories::Repositories};
use crate::{
    domain::{caller::Caller, fields, run_secret::RunSecret, sealed_row::SealedRow},
    error::Error,
    store::project_secrets,
};

/// A secret of a project to set.
pub(crate) struct SetProjectSecret {
    /// Id or slug.
    pub project: String,
    pub name: String,
    /// None: the secret is removed.
    pub value: Option<SecretString>,
}

/// A page of a project's secrets.
pub(crate) struct SecretPage {
    pub secrets: Vec<RunSecret>,
    /// The name that the next page starts after; none: this is the last page.
    pub next: Option<String>,
}

impl Repositories {
    /// Sets or removes a secret. Returns it, unless it was removed.
    pub(crate) async fn set_project_secret(
        &self,
        caller: Caller,
        set: SetProjectSecret,
    ) -> Result<Option<RunSecret>, Error> {
        let name = fields::secret_name(&set.name)?;
        if let Some(value) = &set.value {
            fields::secret_value(value.expose_secret())?;
        }
        let project = self
            .authorize_project(&caller.access, set.project.clone())
            .await?;
        let mut tx = self.pool.begin().await?;
        if let Some(secret) = repeated_calls::claim(&mut tx, &caller).await? {
            return Ok(secret);
        }
        let (secret, change) = match &set.value {
            Some(value) => {
                let row = SealedRow::ProjectSecret { project, name };
                let sealed = self
                    .key_ring
                    .seal(&row.associated_data(), value.expose_secret().as_bytes())?;
                let secret = project_secrets::set(&mut tx, project, name, &sealed).await?;
                (Some(secret), Some((EventKind::SecretSet, "set")))
            }
            None => {
                let was_there = project_secrets::remove(&mut tx, project, name).await?;
                (
                    None,
                    was_there.then_some((EventKind::SecretRemoved, "removed")),
                )
            }
        };
        if let Some((kind, verb)) = change {
            let event = FlowEvent {
                kind,
                project_id: Some(project),
                run_id: None,
                actor: caller.actor.clone(),
                message: format!("secret {name} of the project {verb}"),
                data: Some(json!({ "name": name })),
            };
            events::record(&mut tx, &[event]).await?;
        }
        repeated_calls::keep_answer(&mut tx, &caller, &secret).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Lists secrets by name, after this one.
    pub(crate) async fn list_project_secrets(
        &self,
        access: &Access,
        project: String,
        after: Option<String>,
        size: i64,
    ) -> Result<SecretPage, Error> {
        let project = self.authorize_project(access, project).await?;
        let mut conn = self.pool.acquire().await?;
        let mut secrets =
            project_secrets::list(&mut conn, project, after.as_deref(), size + 1).await?;
        let page = usize::try_from(size).unwrap_or(usize::MAX);
        let has_more = secrets.len() > page;
        secrets.truncate(page);
        let next = secrets.last().filter(|_| has_more);
        Ok(SecretPage {
            next: next.map(|secret| secret.name.clone()),
            secrets,
        })
    }
}
