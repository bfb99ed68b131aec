//! Starts the service.
use std::sync::Arc;

use ck8s_proto::repositories::v1::repositories_service_server::RepositoriesServiceServer;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Repositories, RepositoriesConfig, RepositoriesDeps,
    grpc::RepositoriesServer,
    service::Provider,
    tasks::{self, Reporter},
};

impl Repositories {
    /// Starts the service and, if there is a provider, its tasks; they end with `shutdown`.
    ///
    /// # Errors
    /// The key ring lacks a key that a sealed value needs, or the database fails.
    pub async fn start(
        deps: RepositoriesDeps,
        config: RepositoriesConfig,
        shutdown: CancellationToken,
    ) -> Result<Self, Error> {
        let provider = config.provider.map(|with| Arc::new(Provider::new(with)));
        let service = Self::new(deps, config.key_ring, provider.clone());
        service.verify_key_ring().await?;
        if let Some(provider) = provider {
            tokio::spawn(tasks::pending_changes(service.clone(), shutdown.clone()));
            tokio::spawn(tasks::services_files(service.clone(), shutdown.clone()));
            tokio::spawn(tasks::retention(service.clone(), shutdown.clone()));
            tokio::spawn(tasks::notifications(provider.clone(), shutdown.clone()));
            tokio::spawn(Reporter::new(service.clone(), provider).run(shutdown));
        }
        Ok(service)
    }

    /// Returns the gRPC service.
    #[must_use]
    pub fn server(&self) -> RepositoriesServiceServer<RepositoriesServer> {
        RepositoriesServiceServer::new(RepositoriesServer::new(self.clone()))
    }
}
