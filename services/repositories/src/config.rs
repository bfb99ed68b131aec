//! What the service needs to start, and how it is set up.
use std::sync::Arc;

use ck8s_provider::RepositoryProvider;
use ck8s_rpc::mesh::Channel;
use ck8s_sealing::KeyRing;
use secrecy::SecretString;
use sqlx::PgPool;

/// What the service works with.
pub struct RepositoriesDeps {
    /// Connections to the database, as the role of the service.
    pub pool: PgPool,
    /// The mesh, to ProjectsService and RunsService.
    pub channel: Channel,
}

/// How the service is set up.
pub struct RepositoriesConfig {
    /// The keys that secrets are sealed under.
    pub key_ring: KeyRing,
    /// Where repositories are managed; none: people maintain all of them by hand.
    pub provider: Option<ManagedProvider>,
}

/// The provider where ck8s manages repositories: it makes their hooks, reads their services.yaml and reports their
/// runs.
pub struct ManagedProvider {
    /// The provider.
    pub api: Arc<dyn RepositoryProvider>,
    /// The address that hooks post to.
    pub hook_url: String,
    /// The address that links lead to.
    pub console_url: String,
    /// The database, for notifications of other replicas and services.
    pub database_url: SecretString,
}
