//! Adding a repository that ck8s looks after: asked of the provider, written down, its hook made, its services.yaml read. What stops on
//! the way is undone, here or by whoever finds what a crash left.
use ck8s_proto::repositories::v1 as pb;
use ck8s_provider::{Credential, Remote};
use ck8s_types::{Invalid, ProjectId, RepositoryId};
use secrecy::SecretString;
use serde_json::json;

use super::{
    Call, Repositories,
    change::{Add, chosen_or_random, record},
    detached,
    outside::{Far, at},
};
use crate::{
    domain::repository as field,
    error::Error,
    store::{
        remote,
        repositories::{self, New},
        requests,
        works::{self, Held, Kind},
    },
};

const METHOD: &str = "AddRepository";

/// A repository to add with a credential, checked.
struct Adoption {
    id: RepositoryId,
    project_id: ProjectId,
    services_path: Option<String>,
    follows_default_branch: bool,
    secret: SecretString,
    far: Far,
    actor: ck8s_provider::Actor,
}

impl Repositories {
    /// Adds a repository with a credential.
    pub(super) async fn adopt(
        &self,
        call: Call,
        add: Add,
        credential: Credential,
    ) -> Result<pb::AddRepositoryResponse, Error> {
        field::full_name(&add.full_name)?;
        if !add.services_text.is_empty() {
            return Err(read_there("services_text"));
        }
        if add.webhook_secret.is_some() {
            return Err(Error::Invalid(Invalid {
                field: "webhook_secret",
                problem: "is a random one where ck8s makes the hook".to_owned(),
            }));
        }
        let project_id = self
            .reached_project(&call.access, add.project.clone())
            .await?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = requests::answered(&mut tx, call.request, METHOD).await? {
            return Ok(answer);
        }
        tx.rollback().await?;
        let adoption = self.asked(project_id, add, credential).await?;
        // Whoever called may go away meanwhile: what was begun is ended.
        let this = self.clone();
        detached(async move { this.adopt_asked(&call, adoption).await }).await
    }

    /// What the provider says of it; nothing is changed yet.
    async fn asked(
        &self,
        project_id: ProjectId,
        add: Add,
        credential: Credential,
    ) -> Result<Adoption, Error> {
        let outside = self.outside()?.clone();
        let services_path = field::services_path(&add.services_path)?.map(str::to_owned);
        let (found, actor) = seen(outside.api.as_ref(), &credential, &add.full_name).await?;
        field::external_id(&found.external_id)?;
        field::full_name(&found.full_name)?;
        let given = field::external_id(&add.external_id);
        if !add.external_id.is_empty() && given? != found.external_id {
            return Err(Error::Invalid(Invalid {
                field: "external_id",
                problem: format!("the provider's is {}", found.external_id),
            }));
        }
        let branch = field::default_branch(if add.default_branch.is_empty() {
            &found.default_branch
        } else {
            &add.default_branch
        })?;
        let remote = Remote {
            default_branch: branch.to_owned(),
            ..found
        };
        Ok(Adoption {
            follows_default_branch: add.default_branch.is_empty(),
            id: RepositoryId::new(),
            project_id,
            services_path,
            secret: chosen_or_random(None)?,
            far: Far {
                outside,
                credential,
                remote,
            },
            actor,
        })
    }

    async fn adopt_asked(
        &self,
        call: &Call,
        adoption: Adoption,
    ) -> Result<pb::AddRepositoryResponse, Error> {
        let id = adoption.id.uuid();
        let remote = &adoption.far.remote;
        let busy = || Error::Busy(remote.full_name.clone());
        let mut held = self.locked(id).await?.ok_or_else(busy)?;
        let begun = async {
            if !held.also_adding(&remote.external_id).await? {
                return Err(busy());
            }
            // The same call may have come twice at once.
            let mut tx = self.pool.begin().await?;
            let answer = requests::answered(&mut tx, call.request, METHOD).await?;
            tx.rollback().await?;
            if answer.is_none() {
                self.written_down(&held, &adoption).await?;
            }
            Ok(answer)
        };
        match begun.await {
            Ok(None) => {}
            done => {
                held.release().await;
                return done?.ok_or_else(busy);
            }
        }
        let added = self.set_up(&held, call, &adoption).await;
        if added.is_err() {
            // What cannot be undone now is undone by the upkeep.
            if let Err(error) = self.recover(&held).await {
                tracing::warn!(%error, repository.id = %id, "an addition that stopped is undone later");
            }
        }
        held.release().await;
        added
    }

    /// The repository, its secret, its credential, and that it is being added: before the provider is told anything.
    async fn written_down(&self, held: &Held, adoption: &Adoption) -> Result<(), Error> {
        let remote = &adoption.far.remote;
        let new = New {
            id: adoption.id,
            project_id: adoption.project_id,
            external_id: &remote.external_id,
            full_name: &remote.full_name,
            default_branch: &remote.default_branch,
            follows_default_branch: adoption.follows_default_branch,
            services_text: "",
            services_path: adoption.services_path.as_deref(),
        };
        let mut tx = self.pool.begin().await?;
        repositories::insert(&mut tx, &new).await?;
        self.put_webhook_secret(&mut tx, adoption.id, &adoption.secret)
            .await?;
        self.put_credential(&mut tx, adoption.id, &adoption.far.credential)
            .await?;
        let actor = &adoption.actor;
        remote::set_actor(
            &mut tx,
            adoption.id.uuid(),
            &actor.external_id,
            &actor.login,
        )
        .await?;
        works::begin(&mut tx, held, Kind::Add, &adoption.far.outside.hook_url).await?;
        repositories::notify(&mut tx, &remote.external_id).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn set_up(
        &self,
        held: &Held,
        call: &Call,
        adoption: &Adoption,
    ) -> Result<pb::AddRepositoryResponse, Error> {
        let id = adoption.id.uuid();
        let hook_id = adoption.far.put_hook(None, &adoption.secret).await?;
        {
            let mut conn = self.pool.acquire().await?;
            remote::set_hook(&mut conn, id, &hook_id).await?;
        }
        self.ping_until_heard(&adoption.far, id, &hook_id).await?;
        let repository = {
            let mut conn = self.pool.acquire().await?;
            repositories::get(&mut conn, id).await?
        };
        self.look(&adoption.far, &repository).await?;
        let mut tx = self.pool.begin().await?;
        works::end(&mut tx, held).await?;
        repositories::touch(&mut tx, id).await?;
        let repository = repositories::get(&mut tx, id).await?;
        let message = format!("repository {} added, with its hook", repository.full_name);
        record(
            &mut tx,
            &call.actor,
            "repository.added",
            &repository,
            message,
            json!({}),
        )
        .await?;
        let answer = pb::AddRepositoryResponse {
            repository: Some(self.repository(repository)),
            webhook_secret: String::new(),
        };
        requests::remember(&mut tx, call.request, METHOD, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }
}

/// The repository and the actor as a credential sees them, if it may do all that ck8s needs.
pub(super) async fn seen(
    api: &dyn ck8s_provider::RepositoryProvider,
    credential: &Credential,
    full_name: &str,
) -> Result<(Remote, ck8s_provider::Actor), Error> {
    let (found, lacking) = api
        .look_up(credential, full_name)
        .await
        .map_err(at("looking up the repository"))?;
    if !lacking.is_empty() {
        return Err(Error::Lacking(lacking));
    }
    let actor = api.actor(credential).await;
    let actor = actor.map_err(at("asking whose the credential is"))?;
    Ok((found, actor))
}

/// A field that is the provider's to say.
pub(super) fn read_there(field: &'static str) -> Error {
    Error::Invalid(Invalid {
        field,
        problem: "is read from the repository, where ck8s has a credential for it".to_owned(),
    })
}
