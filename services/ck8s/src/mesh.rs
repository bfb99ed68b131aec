//! The options of the mesh: the address that this process listens on, its certificates, and the roles of other
//! processes.
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use ck8s_pki::Certificates;
use ck8s_rpc::{
    mesh::{Mesh, Peer, Remotes, Requirement, names},
    policy::Policy,
};
use tokio_util::sync::CancellationToken;

use crate::roles::Roles;

/// How long a worker's certificate is valid by default: short, since there is no revocation.
const DEFAULT_WORKER_CERTIFICATE_TTL_SECONDS: u64 = 24 * 3600;

/// The options of the mesh.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Mesh: roles in other processes, over mutual TLS")]
pub(crate) struct MeshOptions {
    /// The mesh listener, for the roles that run elsewhere and for workers.
    #[arg(long, env = "CK8S_MESH_LISTEN", value_name = "ADDRESS")]
    mesh_listen: Option<SocketAddr>,
    /// Directory with tls.crt, tls.key and ca.crt; read again when they change.
    #[arg(long, env = "CK8S_MESH_CERTS", value_name = "DIR")]
    mesh_certs: Option<PathBuf>,
    /// For the role auth: directory with ca.crt and ca.key, which sign workers' certificates; without it no worker can
    /// join.
    #[arg(long, env = "CK8S_MESH_CA", value_name = "DIR")]
    pub(crate) mesh_ca: Option<PathBuf>,
    /// For the role auth: how long a worker's certificate lives; it renews it when two thirds of that are over.
    #[arg(
        long,
        env = "CK8S_WORKER_CERTIFICATE_TTL_S",
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(5..=31_536_000)
    )]
    worker_certificate_ttl_s: Option<u64>,
    /// The address of the role ingress, unless this process runs it: https://name:7443, or several.
    #[arg(long, env = "CK8S_PEER_INGRESS", value_name = "URL[,URL...]")]
    peer_ingress: Option<String>,
    /// The address of the role runs, likewise.
    #[arg(long, env = "CK8S_PEER_RUNS", value_name = "URL[,URL...]")]
    peer_runs: Option<String>,
    /// The address of the role repositories, likewise.
    #[arg(long, env = "CK8S_PEER_REPOSITORIES", value_name = "URL[,URL...]")]
    peer_repositories: Option<String>,
    /// The address of the role auth, likewise.
    #[arg(long, env = "CK8S_PEER_AUTH", value_name = "URL[,URL...]")]
    peer_auth: Option<String>,
}

impl MeshOptions {
    /// Checks that these roles can be served with these options.
    pub(crate) fn check(&self, roles: &Roles) -> Result<()> {
        let peers: Vec<&str> = ["ingress", "runs", "repositories", "auth"]
            .into_iter()
            .filter(|role| self.peer(role).is_some())
            .collect();
        roles.check(&peers, self.mesh_listen.is_some())
    }

    /// Returns the address of the mesh listener, if there is one.
    pub(crate) fn listen(&self) -> Option<SocketAddr> {
        self.mesh_listen
    }

    /// Returns how long the certificate of a worker is valid: a day by default.
    pub(crate) fn worker_certificate_life(&self) -> Duration {
        Duration::from_secs(
            self.worker_certificate_ttl_s
                .unwrap_or(DEFAULT_WORKER_CERTIFICATE_TTL_SECONDS),
        )
    }

    fn peer(&self, role: &str) -> Option<&str> {
        let given = match role {
            "ingress" => &self.peer_ingress,
            "runs" => &self.peer_runs,
            "repositories" => &self.peer_repositories,
            "auth" => &self.peer_auth,
            _ => &None,
        };
        given.as_deref().filter(|text| !text.trim().is_empty())
    }

    /// Opens the certificates if the mesh leaves this process. They are reloaded until `shutdown`.
    pub(crate) fn certificates(
        &self,
        roles: &Roles,
        shutdown: &CancellationToken,
    ) -> Result<Option<Certificates>> {
        let elsewhere = roles
            .peers()
            .iter()
            .any(|(role, _)| self.peer(role.name).is_some());
        if self.mesh_listen.is_none() && !elsewhere {
            return Ok(None);
        }
        let dir = self.mesh_certs.as_deref().context(
            "roles in other processes need certificates: give --mesh-certs (CK8S_MESH_CERTS), made by `ck8s certificate issue` or cert-manager",
        )?;
        let certificates = Certificates::open(dir).context("--mesh-certs")?;
        let identity = certificates.identity();
        if let Some(role) = roles.names().find(|role| !identity.has_role(role)) {
            bail!(
                "the certificate in {} is for {identity}, and this process serves the role {role}",
                dir.display()
            );
        }
        tokio::spawn(certificates.clone().watch(shutdown.clone()));
        Ok(Some(certificates))
    }

    /// Makes the mesh as these roles see it.
    pub(crate) fn mesh(
        &self,
        roles: &Roles,
        policy: &Arc<Policy>,
        certificates: Option<&Certificates>,
    ) -> Result<Mesh> {
        let mut remotes = Remotes::new(policy.clone());
        for (role, needed) in roles.peers() {
            let (Some(list), Some(certificates)) = (self.peer(role.name), certificates) else {
                continue;
            };
            let names =
                names(list).with_context(|| format!("CK8S_PEER_{}", role.name.to_uppercase()))?;
            let service = role.services.first().context("a peer serves something")?;
            let peer = Peer::start(role.name, service, names, certificates.clone());
            let requirement = match needed {
                true => Requirement::Required,
                false => Requirement::Optional,
            };
            remotes = remotes.with(peer, role.services, requirement);
        }
        Ok(Mesh::with(remotes))
    }
}
