//! The connection to one cluster.
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::{JobName, KubeError, Watched, sighting::Sightings};

/// How to reach a cluster, and what its namespaces look like.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// None: the service account of the pod that this runs in, else the user's own configuration.
    pub kubeconfig: Option<PathBuf>,
    /// Where workloads reach the platform; their namespaces' policy allows it.
    pub server_url: Option<String>,
}

/// One cluster. Clones share the connection and the watchers.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespaces: Arc<Mutex<HashMap<String, Arc<OnceCell<()>>>>>,
    pub(crate) server_url: Option<String>,
    id: String,
    sightings: Sightings,
}

impl Cluster {
    /// Connects, and watches until `shutdown`.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`] if there is no usable configuration or the API server does not answer.
    pub async fn connect(
        options: ClusterOptions,
        shutdown: &CancellationToken,
    ) -> Result<Self, KubeError> {
        let config = configuration(options.kubeconfig.as_deref()).await?;
        let client = Client::try_from(config).map_err(|e| KubeError::Unavailable(e.to_string()))?;
        let version = client
            .apiserver_version()
            .await
            .map_err(|e| KubeError::of("asking the API server for its version", &e))?;
        let id = identity(&client).await?;
        tracing::info!(
            version = version.git_version,
            cluster = id,
            "connected to Kubernetes"
        );
        let cluster = Self {
            client,
            namespaces: Arc::default(),
            server_url: options.server_url,
            id,
            sightings: Sightings::default(),
        };
        cluster.sightings.spawn(&cluster.client, shutdown);
        Ok(cluster)
    }

    /// Tells this cluster from every other one: a Job can be adopted only from within its own.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is known of a workload, now and from now on. Before the watchers' first listing, nothing is.
    #[must_use]
    pub fn watch(&self, job: &JobName) -> Watched {
        self.sightings.of(job)
    }
}

/// The UID of the namespace kube-system: made with the cluster, never changed.
async fn identity(client: &Client) -> Result<String, KubeError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let system = namespaces
        .get("kube-system")
        .await
        .map_err(|e| KubeError::of("reading the namespace kube-system", &e))?;
    Ok(system.metadata.uid.unwrap_or_default())
}

async fn configuration(file: Option<&Path>) -> Result<Config, KubeError> {
    let fault = |e: &dyn std::fmt::Display| {
        KubeError::Unavailable(format!("no usable Kubernetes configuration: {e}"))
    };
    match file {
        Some(file) => {
            let kubeconfig = Kubeconfig::read_from(file).map_err(|e| fault(&e))?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .map_err(|e| fault(&e))
        }
        None => Config::infer().await.map_err(|e| fault(&e)),
    }
}
