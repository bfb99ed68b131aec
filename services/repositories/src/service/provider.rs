//! The provider as this process uses it, and one repository there.
use std::sync::Arc;

use ck8s_provider::{Actor, Credential, Remote, RepositoryProvider};
use ck8s_rpc::rate::Rate;
use ck8s_types::{RepositoryId, RunId};
use secrecy::SecretString;
use tokio::sync::{Notify, broadcast};

use super::{services_file::SingleFlight, write_access::WriteAccessCache};
use crate::{config::ManagedProvider, error::Error};

/// Bounds how often a repository is checked: a check makes a dozen requests to the provider.
const CHECKS_PER_MINUTE: u32 = 12;
/// Bounds the pings that a receiver may be behind.
const MAX_PINGS_BEHIND: usize = 64;

/// The provider, where its hooks post to, and what this process knows of it.
pub(crate) struct Provider {
    pub(super) api: Arc<dyn RepositoryProvider>,
    pub(super) hook_url: String,
    console_url: String,
    pub(super) write_access: WriteAccessCache,
    pub(super) services_syncs: SingleFlight,
    pub(super) checks: Rate<RepositoryId>,
    /// The repositories whose hook's ping came, to this replica or another one.
    pub(crate) pings: broadcast::Sender<RepositoryId>,
    /// Runs changed.
    pub(crate) runs_changed: Notify,
    /// Repositories changed: perhaps a credential.
    pub(crate) repositories_changed: Notify,
    pub(crate) database_url: SecretString,
}

impl Provider {
    pub(crate) fn new(with: ManagedProvider) -> Self {
        Self {
            api: with.api,
            hook_url: with.hook_url,
            console_url: with.console_url,
            write_access: WriteAccessCache::default(),
            services_syncs: SingleFlight::default(),
            checks: Rate::per_minute(CHECKS_PER_MINUTE),
            pings: broadcast::channel(MAX_PINGS_BEHIND).0,
            runs_changed: Notify::new(),
            repositories_changed: Notify::new(),
            database_url: with.database_url,
        }
    }

    /// Returns the page of a run.
    pub(super) fn run_page(&self, run: RunId) -> String {
        format!("{}/#/runs/{run}", self.console_url)
    }

    /// Finds a repository by its name, and the account that the credential acts as, if the credential may do all that
    /// ck8s needs.
    pub(super) async fn inspect(
        &self,
        credential: &Credential,
        full_name: &str,
    ) -> Result<(Remote, Actor), Error> {
        let (remote, missing) = self
            .api
            .find_repository(credential, full_name)
            .await
            .map_err(Error::at("looking up the repository"))?;
        if !missing.is_empty() {
            return Err(Error::MissingPermissions(missing));
        }
        let actor = self.api.actor(credential).await;
        let actor = actor.map_err(Error::at("asking whose the credential is"))?;
        Ok((remote, actor))
    }
}

/// One repository at its provider, with the credential for it.
#[derive(Clone)]
pub(crate) struct RemoteRepository {
    pub provider: Arc<Provider>,
    pub credential: Credential,
    pub remote: Remote,
}

impl RemoteRepository {
    /// Returns the provider's interface.
    pub(super) fn api(&self) -> &dyn RepositoryProvider {
        self.provider.api.as_ref()
    }
}
