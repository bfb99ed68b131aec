//! The connection to one cluster.
use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ck8s_types::InstallationId;
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Namespace, Pod, Secret},
    networking::v1::NetworkPolicy,
};
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use moka::future::Cache;
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    egress_ceiling::EgressCeiling, error::KubeError, installation::Installation, job_name::JobName,
    namespace_manifests::server_egress, watch::ClusterWatch, workload_view::WorkloadWatch,
};

/// Bounds the namespaces that are known to be complete. One that is forgotten is only made sure of again.
const MAX_READY_NAMESPACES: u64 = 10_000;
/// How long a namespace counts as complete: starts that come together share the check, and later ones find what
/// somebody has removed meanwhile.
const NAMESPACE_CHECK_LIFE: Duration = Duration::from_millis(250);

/// Bounds the silence of a connection, so that one that died without a word (behind a NAT, say) is noticed. A log that
/// is silent for longer is opened again where it was left.
const READ_TIMEOUT: Duration = Duration::from_secs(45);

/// How to reach a cluster, and the server from within it.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// The cluster's configuration file. None: the service account of the pod that this runs in, or else the user's own
    /// configuration.
    pub kubeconfig: Option<PathBuf>,
    /// The server's address for workloads. The policy of their namespaces allows it.
    pub server_url: Option<String>,
    /// What runs may reach at most.
    pub egress_ceiling: EgressCeiling,
}

/// One cluster. Clones share the connection and the watches.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    /// The namespaces that are known to be complete.
    pub(crate) ready_namespaces: Cache<String, ()>,
    /// The namespaces whose service account was made.
    pub(crate) service_accounts: Cache<String, ()>,
    pub(crate) server_url: Option<String>,
    pub(crate) egress_ceiling: EgressCeiling,
    id: String,
    watch: ClusterWatch,
    served: Arc<Mutex<Served>>,
    shutdown: CancellationToken,
}

/// The installation that the process works for now, and the watches on what it made.
struct Served {
    installation: Installation,
    _watches: Option<DropGuard>,
}

impl Cluster {
    /// Connects to a cluster. What it watches, it watches until `shutdown`.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`] if there is no usable configuration or the API server does not answer.
    pub async fn connect(
        options: ClusterOptions,
        shutdown: &CancellationToken,
    ) -> Result<Self, KubeError> {
        let mut config = client_config(options.kubeconfig.as_deref()).await?;
        config.read_timeout = Some(READ_TIMEOUT);
        let client = Client::try_from(config).map_err(|e| KubeError::Unavailable(e.to_string()))?;
        let version = client
            .apiserver_version()
            .await
            .map_err(|e| KubeError::from_api("asking the API server for its version", &e))?;
        let id = cluster_id(&client).await?;
        if let Some(url) = &options.server_url
            && server_egress(url).is_none()
        {
            tracing::warn!(
                url,
                "a NetworkPolicy cannot name this host, so workloads may not reach it"
            );
        }
        tracing::info!(
            version = version.git_version,
            cluster = id,
            "connected to Kubernetes"
        );
        Ok(Self {
            client,
            service_accounts: Cache::new(MAX_READY_NAMESPACES),
            ready_namespaces: Cache::builder()
                .max_capacity(MAX_READY_NAMESPACES)
                .time_to_live(NAMESPACE_CHECK_LIFE)
                .build(),
            server_url: options.server_url,
            egress_ceiling: options.egress_ceiling,
            id,
            watch: ClusterWatch::default(),
            served: Arc::new(Mutex::new(Served {
                installation: Installation::Unknown,
                _watches: None,
            })),
            shutdown: shutdown.clone(),
        })
    }

    /// Works for this installation from now on, and watches what it made: what another one made is left alone. None:
    /// the server is older than the ids of installations. Without this call nothing of a workload is seen.
    pub fn serve(&self, installation: Option<InstallationId>) {
        let installation = Installation::from(installation);
        let mut served = self.served.lock();
        if served.installation == installation {
            return;
        }
        let stop = self.shutdown.child_token();
        self.watch.spawn(&self.client, installation, &stop);
        *served = Served {
            installation,
            _watches: Some(stop.drop_guard()),
        };
        drop(served);
        self.ready_namespaces.invalidate_all();
    }

    /// Returns the installation that this process works for.
    pub(crate) fn installation(&self) -> Installation {
        self.served.lock().installation
    }

    /// Returns the cluster's id, which differs from that of every other cluster. A Job can be adopted only from within
    /// its own.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Watches a workload. Before the first listing has arrived, nothing is known of it.
    #[must_use]
    pub fn watch(&self, job: &JobName) -> WorkloadWatch {
        self.watch.workload(job)
    }

    pub(crate) fn jobs(&self, namespace: &str) -> Api<Job> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) fn network_policies(&self, namespace: &str) -> Api<NetworkPolicy> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// Returns the UID of the namespace kube-system, which is made with the cluster and never changes.
async fn cluster_id(client: &Client) -> Result<String, KubeError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let system = namespaces
        .get("kube-system")
        .await
        .map_err(|e| KubeError::from_api("reading the namespace kube-system", &e))?;
    Ok(system.metadata.uid.unwrap_or_default())
}

async fn client_config(kubeconfig: Option<&Path>) -> Result<Config, KubeError> {
    let unusable = |e: &dyn Display| {
        KubeError::Unavailable(format!("no usable Kubernetes configuration: {e}"))
    };
    match kubeconfig {
        Some(file) => {
            let kubeconfig = Kubeconfig::read_from(file).map_err(|e| unusable(&e))?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .map_err(|e| unusable(&e))
        }
        None => Config::infer().await.map_err(|e| unusable(&e)),
    }
}
