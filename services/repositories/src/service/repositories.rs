//! The service itself: its connections, its keys, its peers and its provider, which every use case shares.
use std::sync::Arc;

use ck8s_proto::{
    auth::v1::projects_service_client::ProjectsServiceClient,
    runs::v1::runs_service_client::RunsServiceClient,
};
use ck8s_rpc::mesh::Channel;
use ck8s_sealing::KeyRing;
use sqlx::PgPool;
use tokio::sync::Semaphore;

use super::{provider::Provider, services_file::ServicesCache};
use crate::{
    config::RepositoriesDeps,
    domain::repository::{Repository, RepositoryView},
    error::Error,
};

/// Bounds the repositories that this process changes at their provider at once: each change holds a connection of its
/// own.
const MAX_CONCURRENT_CHANGES: usize = 16;

/// The service. A clone is the same service.
#[derive(Clone)]
pub struct Repositories {
    pub(super) pool: PgPool,
    pub(super) key_ring: Arc<KeyRing>,
    pub(super) projects: ProjectsServiceClient<Channel>,
    pub(super) runs: RunsServiceClient<Channel>,
    pub(super) services: ServicesCache,
    pub(super) change_permits: Arc<Semaphore>,
    provider: Option<Arc<Provider>>,
}

impl Repositories {
    pub(crate) fn new(
        deps: RepositoriesDeps,
        key_ring: KeyRing,
        provider: Option<Arc<Provider>>,
    ) -> Self {
        Self {
            pool: deps.pool,
            key_ring: Arc::new(key_ring),
            projects: ProjectsServiceClient::new(deps.channel.clone()),
            runs: RunsServiceClient::new(deps.channel),
            services: ServicesCache::default(),
            change_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_CHANGES)),
            provider,
        }
    }

    /// Returns the provider, if the server was set up for one.
    pub(super) fn provider(&self) -> Result<&Arc<Provider>, Error> {
        self.provider.as_ref().ok_or(Error::NoProvider)
    }

    /// Adds to a repository what its services.yaml says.
    pub(super) fn view(&self, repository: Repository) -> RepositoryView {
        RepositoryView {
            services: self.services.of(&repository),
            repository,
        }
    }
}
