//! Use cases that change a repository: each in one transaction with its flow event, its answer under its request id, and a
//! notification for those who remember the repository.
use ck8s_db::events::{self, NewEvent};
use ck8s_proto::repositories::v1 as pb;
use ck8s_provider::Credential;
use ck8s_types::{Invalid, ProjectId, RepositoryId};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Call, Repositories, adopt::read_there, reached, refused};
use crate::{
    domain::{repository as field, row::Row, services_yaml},
    error::Error,
    store::{
        repositories::{self, Change, New, Repository},
        requests, secrets, webhook_secrets,
    },
};

/// A repository to add.
pub struct Add {
    /// Id or slug.
    pub project: String,
    pub full_name: String,
    pub external_id: String,
    /// Empty: main.
    pub default_branch: String,
    pub services_text: String,
    /// None: a random one.
    pub webhook_secret: Option<SecretString>,
    /// Empty: the usual one.
    pub services_path: String,
    /// What ck8s shows to the provider; none: it is looked after by hand.
    pub credential: Option<Credential>,
}

/// Fields of a repository to change; none: it stays.
#[derive(Default)]
pub struct Update {
    /// Id or owner/name.
    pub repository: String,
    pub full_name: Option<String>,
    pub default_branch: Option<String>,
    pub services_text: Option<String>,
    pub services_path: Option<String>,
    /// Empty: whatever is there.
    pub etag: String,
}

/// A webhook secret to replace.
pub struct Rotate {
    /// Id or owner/name.
    pub repository: String,
    /// None: a random one.
    pub webhook_secret: Option<SecretString>,
    pub overlap_seconds: i64,
}

/// A secret of runs to set.
pub struct Set {
    /// Id or owner/name.
    pub repository: String,
    pub name: String,
    /// None: it is removed.
    pub value: Option<SecretString>,
}

impl Repositories {
    pub(crate) async fn add(
        &self,
        call: Call,
        mut add: Add,
    ) -> Result<pb::AddRepositoryResponse, Error> {
        const METHOD: &str = "AddRepository";
        if let Some(credential) = add.credential.take() {
            return self.adopt(call, add, credential).await;
        }
        let id = RepositoryId::new();
        let secret = chosen_or_random(add.webhook_secret)?;
        services_yaml::parse(&add.services_text)?;
        let full_name = field::full_name(&add.full_name)?;
        let external_id = field::external_id(&add.external_id)?;
        let default_branch = field::default_branch(&add.default_branch)?;
        let services_path = field::services_path(&add.services_path)?;
        let project_id = self.reached_project(&call.access, add.project).await?;

        let mut tx = self.pool.begin().await?;
        if let Some(answer) = requests::answered(&mut tx, call.request, METHOD).await? {
            return Ok(answer);
        }
        let new = New {
            id,
            project_id,
            external_id,
            full_name,
            default_branch,
            follows_default_branch: add.default_branch.is_empty(),
            services_text: &add.services_text,
            services_path,
        };
        repositories::insert(&mut tx, &new).await?;
        self.put_webhook_secret(&mut tx, id, &secret).await?;
        let repository = repositories::get(&mut tx, id.uuid()).await?;
        let message = format!("repository {full_name} added");
        record(
            &mut tx,
            &call.actor,
            "repository.added",
            &repository,
            message,
            json!({}),
        )
        .await?;
        repositories::notify(&mut tx, external_id).await?;
        let mut answer = pb::AddRepositoryResponse {
            repository: Some(self.repository(repository)),
            webhook_secret: String::new(),
        };
        requests::remember(&mut tx, call.request, METHOD, &answer).await?;
        tx.commit().await?;
        secret
            .expose_secret()
            .clone_into(&mut answer.webhook_secret);
        Ok(answer)
    }

    pub(crate) async fn update(
        &self,
        call: Call,
        update: Update,
    ) -> Result<pb::UpdateRepositoryResponse, Error> {
        const METHOD: &str = "UpdateRepository";
        let (mut change, mut fields) = (Change::default(), Vec::new());
        if let Some(name) = &update.full_name {
            change.full_name = Some(field::full_name(name)?);
            fields.push("full_name");
        }
        if let Some(branch) = &update.default_branch {
            change.default_branch = Some(field::default_branch(branch)?);
            change.follows_default_branch = Some(false);
            fields.push("default_branch");
        }
        if let Some(text) = &update.services_text {
            services_yaml::parse(text)?;
            change.services_text = Some(text);
            fields.push("services_text");
        }
        if let Some(path) = &update.services_path {
            let usual = Some(".ck8s/services.yaml");
            change.services_path = field::services_path(path)?.or(usual);
            fields.push("services_path");
        }

        self.reaches(&call, &update.repository).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = requests::answered(&mut tx, call.request, METHOD).await? {
            return Ok(answer);
        }
        let before = locked(&mut tx, &call, &update.repository).await?;
        if !update.etag.is_empty() && update.etag != before.version.to_string() {
            return Err(Error::Changed);
        }
        if before.credential.is_some() && change.services_text.is_some() {
            return Err(read_there("services_text"));
        }
        repositories::update(&mut tx, &before, change).await?;
        let repository = changed(&mut tx, before.id).await?;
        let message = format!(
            "{} of repository {} changed",
            fields.join(", "),
            repository.full_name
        );
        let data = json!({ "fields": fields });
        record(
            &mut tx,
            &call.actor,
            "repository.updated",
            &repository,
            message,
            data,
        )
        .await?;
        let elsewhere = change.default_branch.is_some() || change.services_path.is_some();
        let look = before.credential.is_some() && elsewhere;
        let answer = pb::UpdateRepositoryResponse {
            repository: Some(self.repository(repository)),
        };
        requests::remember(&mut tx, call.request, METHOD, &answer).await?;
        tx.commit().await?;
        if look && let Err(error) = self.look_now(before.id).await {
            tracing::warn!(%error, "services.yaml waits for the next look");
        }
        Ok(answer)
    }

    pub(crate) async fn remove(
        &self,
        call: Call,
        name: &str,
    ) -> Result<pb::RemoveRepositoryResponse, Error> {
        const METHOD: &str = "RemoveRepository";
        let answer = pb::RemoveRepositoryResponse::default();
        self.reaches(&call, name).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = requests::answered(&mut tx, call.request, METHOD).await? {
            return Ok(answer);
        }
        let repository = locked(&mut tx, &call, name).await?;
        if repository.credential.is_some() {
            tx.rollback().await?;
            return self.leave(call, repository).await;
        }
        webhook_secrets::remove_all(&mut tx, repository.id).await?;
        secrets::remove_all(&mut tx, repository.id).await?;
        repositories::remove(&mut tx, &repository).await?;
        repositories::touch(&mut tx, repository.id).await?;
        let message = format!(
            "repository {} removed, with its secrets",
            repository.full_name
        );
        record(
            &mut tx,
            &call.actor,
            "repository.removed",
            &repository,
            message,
            json!({}),
        )
        .await?;
        requests::remember(&mut tx, call.request, METHOD, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }

    pub(crate) async fn rotate(
        &self,
        call: Call,
        rotate: Rotate,
    ) -> Result<pb::RotateWebhookSecretResponse, Error> {
        const METHOD: &str = "RotateWebhookSecret";
        let secret = chosen_or_random(rotate.webhook_secret)?;
        let overlap = field::overlap_seconds(rotate.overlap_seconds)?;

        self.reaches(&call, &rotate.repository).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = requests::answered(&mut tx, call.request, METHOD).await? {
            return Ok(answer);
        }
        let before = locked(&mut tx, &call, &rotate.repository).await?;
        if before.credential.is_some() {
            tx.rollback().await?;
            return self.renew_secret(call, before, secret).await;
        }
        webhook_secrets::supersede(&mut tx, before.id, overlap).await?;
        self.put_webhook_secret(&mut tx, before.id.into(), &secret)
            .await?;
        let repository = changed(&mut tx, before.id).await?;
        let message = format!("webhook secret of {} replaced", repository.full_name);
        let data = json!({ "overlap_seconds": overlap });
        record(
            &mut tx,
            &call.actor,
            "repository.secret_rotated",
            &repository,
            message,
            data,
        )
        .await?;
        let mut answer = pb::RotateWebhookSecretResponse {
            repository: Some(self.repository(repository)),
            webhook_secret: String::new(),
        };
        requests::remember(&mut tx, call.request, METHOD, &answer).await?;
        tx.commit().await?;
        secret
            .expose_secret()
            .clone_into(&mut answer.webhook_secret);
        Ok(answer)
    }

    pub(crate) async fn set_secret(
        &self,
        call: Call,
        set: Set,
    ) -> Result<pb::SetSecretResponse, Error> {
        const METHOD: &str = "SetSecret";
        let name = field::secret_name(&set.name)?;
        if let Some(value) = &set.value {
            field::secret_value(value.expose_secret())?;
        }

        self.reaches(&call, &set.repository).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = requests::answered(&mut tx, call.request, METHOD).await? {
            return Ok(answer);
        }
        let before = locked(&mut tx, &call, &set.repository).await?;
        let (happened, done) = match &set.value {
            Some(value) => {
                let repository = before.id.into();
                let row = Row::Secret { repository, name };
                let sealed = self
                    .key_ring
                    .seal(&row.associated_data(), value.expose_secret().as_bytes())?;
                secrets::set(&mut tx, before.id, name, &sealed).await?;
                (Some("secret.set"), "set")
            }
            None => {
                let was_there = secrets::remove(&mut tx, before.id, name).await?;
                (was_there.then_some("secret.removed"), "removed")
            }
        };
        let repository = match happened {
            Some(kind) => {
                let repository = changed(&mut tx, before.id).await?;
                let message = format!("secret {name} of {} {done}", repository.full_name);
                let data = json!({ "name": name });
                record(&mut tx, &call.actor, kind, &repository, message, data).await?;
                repository
            }
            None => before,
        };
        let answer = pb::SetSecretResponse {
            repository: Some(self.repository(repository)),
        };
        requests::remember(&mut tx, call.request, METHOD, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }

    /// That a caller may change a repository: before anything is done, and before an earlier answer is given again. So it is asked also
    /// of one that was removed since.
    pub(super) async fn reaches(&self, call: &Call, name: &str) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        let missing = || Error::NotFound(name.to_owned());
        let project = repositories::project_of(&mut conn, name).await?;
        let project = project.ok_or_else(missing)?;
        let answer = call.access.project(project, || missing().into());
        answer.map_err(refused)
    }

    pub(super) async fn put_webhook_secret(
        &self,
        conn: &mut PgConnection,
        repository: RepositoryId,
        secret: &SecretString,
    ) -> Result<(), Error> {
        let id = Uuid::now_v7();
        let row = Row::WebhookSecret { id, repository };
        let sealed = self
            .key_ring
            .seal(&row.associated_data(), secret.expose_secret().as_bytes())?;
        webhook_secrets::insert(conn, id, repository.uuid(), &sealed).await?;
        Ok(())
    }
}

/// A repository, locked, if the caller reaches it: its name may have become another's since they were let in.
pub(super) async fn locked(
    conn: &mut PgConnection,
    call: &Call,
    name: &str,
) -> Result<Repository, Error> {
    let repository = repositories::find_locked(conn, name).await?;
    reached(&call.access, &repository, name)?;
    Ok(repository)
}

/// The repository with its new version, told to those who remember it.
pub(super) async fn changed(conn: &mut PgConnection, id: Uuid) -> Result<Repository, Error> {
    repositories::touch(conn, id).await?;
    repositories::get(conn, id).await
}

pub(super) async fn record(
    conn: &mut PgConnection,
    actor: &str,
    kind: &'static str,
    repository: &Repository,
    message: String,
    mut data: Value,
) -> Result<(), Error> {
    data["repository_id"] = json!(repository.id);
    data["full_name"] = json!(repository.full_name);
    let event = NewEvent {
        kind,
        project_id: Some(ProjectId::from(repository.project_id)),
        run_id: None,
        actor: actor.to_owned(),
        message,
        data: Some(data),
    };
    events::record(conn, &[event]).await?;
    Ok(())
}

/// The secret that was chosen, or 32 random bytes in hex.
pub(super) fn chosen_or_random(chosen: Option<SecretString>) -> Result<SecretString, Invalid> {
    if let Some(secret) = chosen {
        field::webhook_secret(secret.expose_secret())?;
        return Ok(secret);
    }
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    Ok(hex::encode(bytes).into())
}
