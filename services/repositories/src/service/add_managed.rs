//! Adds a repository that ck8s manages: it is looked up at the provider and recorded, its hook is made, its
//! services.yaml is read. An addition that stops on the way is undone, here or by the recovery task.
use ck8s_provider::{Actor, Credential, Remote};
use ck8s_types::{EventKind, ProjectId, RepositoryId};
use secrecy::SecretString;
use serde_json::Value;

use super::{
    add::AddRepository,
    background::run_in_background,
    events::{self, RepositoryEvent},
    provider::RemoteRepository,
    repeated_calls,
    repositories::Repositories,
    webhook_secrets::chosen_or_random,
};
use crate::{
    domain::{
        caller::Caller,
        fields,
        pending_change::ChangeKind,
        repository::{BranchSource, NewRepository, Repository, RepositoryWithSecret},
    },
    error::Error,
    store::{
        pending_changes::{self, ChangeLock},
        provider_state, repositories,
    },
};

/// A repository to add with a credential, as the provider knows it.
struct Addition {
    id: RepositoryId,
    project_id: ProjectId,
    services_path: Option<String>,
    branch_source: BranchSource,
    secret: SecretString,
    remote: RemoteRepository,
    actor: Actor,
}

/// How an addition may go on.
enum Begun {
    /// It was recorded.
    Recorded,
    /// The same call has come before, and got this answer.
    Answered(Box<Repository>),
}

impl Repositories {
    /// Adds a repository with a credential.
    pub(super) async fn add_managed(
        &self,
        caller: Caller,
        add: AddRepository,
        credential: Credential,
    ) -> Result<RepositoryWithSecret, Error> {
        fields::full_name(&add.full_name)?;
        if !add.services_text.is_empty() {
            let problem = "is read from the repository, where ck8s has a credential for it";
            return Err(Error::invalid("services_text", problem));
        }
        if add.webhook_secret.is_some() {
            let problem = "is a random one where ck8s makes the hook";
            return Err(Error::invalid("webhook_secret", problem));
        }
        let project_id = self
            .authorize_project(&caller.access, add.project.clone())
            .await?;
        let answer = {
            let mut conn = self.pool.acquire().await?;
            repeated_calls::find_answer::<Repository>(&mut conn, &caller).await?
        };
        let repository = match answer {
            Some(repository) => repository,
            None => {
                let addition = self.look_up(project_id, &add, credential).await?;
                // The caller may go away meanwhile: what was begun is completed or undone.
                let this = self.clone();
                run_in_background(async move { this.add_locked(&caller, &addition).await }).await?
            }
        };
        Ok(RepositoryWithSecret {
            view: self.view(repository),
            webhook_secret: None,
        })
    }

    /// Asks the provider for the repository. Nothing is changed yet.
    async fn look_up(
        &self,
        project_id: ProjectId,
        add: &AddRepository,
        credential: Credential,
    ) -> Result<Addition, Error> {
        let provider = self.provider()?.clone();
        let services_path = fields::services_path(&add.services_path)?.map(str::to_owned);
        let (found, actor) = provider.inspect(&credential, &add.full_name).await?;
        fields::external_id(&found.external_id)?;
        fields::full_name(&found.full_name)?;
        if !add.external_id.is_empty()
            && fields::external_id(&add.external_id)? != found.external_id
        {
            let problem = format!("the provider's is {}", found.external_id);
            return Err(Error::invalid("external_id", problem));
        }
        let branch_source = add.branch_source();
        let branch = match branch_source {
            BranchSource::Provider => &found.default_branch,
            BranchSource::Person => &add.default_branch,
        };
        let remote = Remote {
            default_branch: fields::default_branch(branch)?.to_owned(),
            ..found
        };
        Ok(Addition {
            id: RepositoryId::new(),
            project_id,
            services_path,
            branch_source,
            secret: chosen_or_random(None)?,
            remote: RemoteRepository {
                provider,
                credential,
                remote,
            },
            actor,
        })
    }

    async fn add_locked(&self, caller: &Caller, addition: &Addition) -> Result<Repository, Error> {
        let busy = || Error::Busy(addition.remote.remote.full_name.clone());
        let mut lock = self.try_lock(addition.id).await?.ok_or_else(busy)?;
        let added = match self.begin_addition(&mut lock, caller, addition).await {
            Ok(Begun::Recorded) => {
                let added = self.set_up(&lock, caller, addition).await;
                if added.is_err() {
                    self.undo_addition(&lock).await;
                }
                added
            }
            Ok(Begun::Answered(repository)) => Ok(*repository),
            Err(error) => Err(error),
        };
        lock.release().await;
        added
    }

    async fn begin_addition(
        &self,
        lock: &mut ChangeLock,
        caller: &Caller,
        addition: &Addition,
    ) -> Result<Begun, Error> {
        let remote = &addition.remote.remote;
        if !lock.lock_addition(&remote.external_id).await? {
            return Err(Error::Busy(remote.full_name.clone()));
        }
        // The same call may have come twice at once.
        let mut conn = self.pool.acquire().await?;
        if let Some(repository) = repeated_calls::find_answer(&mut conn, caller).await? {
            return Ok(Begun::Answered(Box::new(repository)));
        }
        drop(conn);
        match self.record_addition(lock, addition).await {
            Ok(()) => Ok(Begun::Recorded),
            Err(Error::ManagedElsewhere) => {
                Err(self.unclaimable(caller, &remote.external_id).await)
            }
            Err(error) => Err(error),
        }
    }

    /// Records the repository, its secret, its credential, and that it is being added, before anything changes at the
    /// provider.
    async fn record_addition(&self, lock: &ChangeLock, addition: &Addition) -> Result<(), Error> {
        let remote = &addition.remote.remote;
        let new = NewRepository {
            id: addition.id,
            project_id: addition.project_id,
            external_id: &remote.external_id,
            full_name: &remote.full_name,
            default_branch: &remote.default_branch,
            branch_source: addition.branch_source,
            services_text: "",
            services_path: addition.services_path.as_deref(),
        };
        let mut tx = self.pool.begin().await?;
        repositories::insert(&mut tx, &new).await?;
        self.put_webhook_secret(&mut tx, addition.id, &addition.secret)
            .await?;
        self.put_credential(&mut tx, addition.id, &addition.remote.credential)
            .await?;
        provider_state::set_actor(&mut tx, addition.id, &addition.actor).await?;
        let hook_url = &addition.remote.provider.hook_url;
        pending_changes::begin(&mut tx, lock, ChangeKind::Add, hook_url).await?;
        repositories::notify(&mut tx, &remote.external_id).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes the hook, waits for its ping, reads services.yaml, and ends the addition.
    async fn set_up(
        &self,
        lock: &ChangeLock,
        caller: &Caller,
        addition: &Addition,
    ) -> Result<Repository, Error> {
        let (id, remote) = (addition.id, &addition.remote);
        let hook_id = remote.put_hook(None, &addition.secret).await?;
        {
            let mut conn = self.pool.acquire().await?;
            provider_state::set_hook(&mut conn, id, &hook_id).await?;
        }
        self.ping_until_received(remote, id, &hook_id).await?;
        let repository = {
            let mut conn = self.pool.acquire().await?;
            repositories::get(&mut conn, id).await?
        };
        self.read_services_file(remote, &repository).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(answered) = repeated_calls::claim(&mut tx, caller).await? {
            return Ok(answered);
        }
        pending_changes::end(&mut tx, lock).await?;
        let repository = events::touch(&mut tx, &repository).await?;
        let event = RepositoryEvent {
            kind: EventKind::RepositoryAdded,
            actor: &caller.actor,
            message: format!("repository {} added, with its hook", repository.full_name),
            data: Value::Null,
        };
        events::record(&mut tx, &repository, event).await?;
        repeated_calls::keep_answer(&mut tx, caller, &repository).await?;
        tx.commit().await?;
        Ok(repository)
    }

    /// Undoes an addition that stopped. What cannot be undone now, the recovery task undoes.
    async fn undo_addition(&self, lock: &ChangeLock) {
        if let Err(error) = self.recover(lock).await {
            tracing::warn!(%error, repository.id = %lock.repository, "an addition that stopped is undone later");
        }
    }
}
