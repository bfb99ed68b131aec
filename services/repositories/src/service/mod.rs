//! The use cases: open a transaction, call the store, record what happened. `read` asks, `change` changes, `parsed` remembers.
//! With the provider (`outside`): `adopt`, `leave`, `renew`, `hook` change there too, `recover` ends what stopped, `look` reads
//! services.yaml, `heard` is what ingress tells and asks, `check` says how it all stands,
//! `report` tells of runs.
mod adopt;
mod change;
mod check;
mod heard;
mod hook;
mod leave;
mod look;
mod looks;
mod outside;
mod parsed;
mod read;
mod recover;
mod renew;
mod report;
mod reseal;
mod told;
mod writers;

use std::{future::Future, sync::Arc};

use ck8s_proto::{
    auth::v1::{GetProjectRequest, projects_service_client::ProjectsServiceClient},
    repositories::v1 as pb,
    runs::v1::runs_service_client::RunsServiceClient,
};
use ck8s_rpc::{access::Access, convert as rpc_convert, mesh::Channel, status};
use ck8s_sealing::{KeyRing, OpenError};
use ck8s_types::{ProjectId, RequestId};
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

pub use self::{
    change::{Add, Rotate, Set, Update},
    heard::{Heard, Who},
    outside::{LookAfter, Outside},
};
use self::{parsed::Parsed, report::Reporter};
use crate::{
    convert,
    error::Error,
    store::{repositories::Repository, secrets},
    tasks,
};

/// Repositories that this process changes at their provider at once: each holds a connection of its own.
const CHANGES: usize = 16;

/// The service. A clone is the same service.
#[derive(Clone)]
pub struct Repositories {
    pool: PgPool,
    key_ring: Arc<KeyRing>,
    projects: ProjectsServiceClient<Channel>,
    runs: RunsServiceClient<Channel>,
    parsed: Arc<Parsed>,
    outside: Option<Arc<Outside>>,
    changes: Arc<Semaphore>,
}

/// Who makes a change, and what makes it safe to repeat.
pub struct Call {
    /// Which projects they reach.
    pub access: Access,
    /// As it stands in flow events.
    pub actor: String,
    /// The caller's id for it.
    pub request: Option<RequestId>,
}

impl Repositories {
    /// The service on its database; `mesh` reaches ProjectsService and RunsService.
    #[must_use]
    pub fn new(pool: PgPool, key_ring: KeyRing, mesh: Channel) -> Self {
        Self {
            pool,
            key_ring: Arc::new(key_ring),
            projects: ProjectsServiceClient::new(mesh.clone()),
            runs: RunsServiceClient::new(mesh),
            parsed: Arc::default(),
            outside: None,
            changes: Arc::new(Semaphore::new(CHANGES)),
        }
    }

    /// The same, looking after repositories at their provider: credentials, hooks, services.yaml, reports of runs.
    #[must_use]
    pub fn looking_after(mut self, with: LookAfter) -> Self {
        self.outside = Some(Arc::new(Outside::new(with)));
        self
    }

    /// Starts the tasks, until shutdown; none without a provider.
    pub fn start(&self, shutdown: &CancellationToken) {
        let Some(outside) = &self.outside else {
            return;
        };
        tokio::spawn(tasks::upkeep(self.clone(), shutdown.clone()));
        tokio::spawn(tasks::hear(outside.clone(), shutdown.clone()));
        let reporter = Reporter::new(self.clone(), outside.clone());
        tokio::spawn(reporter.run(shutdown.clone()));
    }

    /// Checks, before it serves, that the key ring has every key that a sealed value needs.
    ///
    /// # Errors
    /// The first key that is missing, or the database's error.
    pub async fn verify_key_ring(&self) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        let known = self.key_ring.ids();
        for id in secrets::key_ids(&mut conn).await? {
            if !known.contains(&id.as_str()) {
                return Err(OpenError::UnknownKey(id).into());
            }
        }
        Ok(())
    }

    fn repository(&self, repository: Repository) -> pb::Repository {
        let services = self.parsed.of(&repository);
        convert::repository(repository, services)
    }

    /// The id of a project by its id or slug.
    async fn project(&self, name: String) -> Result<ProjectId, Error> {
        let request = GetProjectRequest { project: name };
        let answer = self.projects.clone().get_project(request).await;
        let project = answer.map_err(|e| peer(&e))?.into_inner().project;
        let id = project.unwrap_or_default().id;
        rpc_convert::id("project", &id).map_err(|e| peer(&e))
    }

    /// The id of a project by its id or slug, if the caller may do there what they want to. What they may not see, is not there.
    async fn reached_project(&self, access: &Access, name: String) -> Result<ProjectId, Error> {
        let project = self.project(name.clone()).await?;
        let missing = || status::not_found("project", name);
        access.project(project, missing).map_err(refused)?;
        Ok(project)
    }
}

/// That a caller may do what they want to with a repository. What they may not see, is not there.
fn reached(access: &Access, repository: &Repository, name: &str) -> Result<(), Error> {
    let missing = || Error::NotFound(name.to_owned()).into();
    let project = repository.project_id.into();
    access.project(project, missing).map_err(refused)
}

/// The guard's answer to a caller, as it is.
fn refused(status: Status) -> Error {
    Error::Peer(Box::new(status))
}

/// What a peer's error is to our caller: its own fault, or nothing it can do anything about.
fn peer(error: &Status) -> Error {
    let told = matches!(
        error.code(),
        Code::NotFound | Code::InvalidArgument | Code::Unavailable | Code::DeadlineExceeded
    );
    let told = if told {
        status::handed_on(error)
    } else {
        status::internal(error)
    };
    Error::Peer(Box::new(told))
}

/// Runs to its end, whoever waits for it: a change at the provider does not stop because its caller went away.
async fn detached<T: Send + 'static>(
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let ended = tokio::spawn(change).await;
    ended.unwrap_or_else(|fault| Err(Error::Peer(Box::new(status::internal(&fault)))))
}
