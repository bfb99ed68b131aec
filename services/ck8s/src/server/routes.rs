//! The services of the roles, each on its own connections to the database and its own channel of the mesh.
use anyhow::{Context, Result};
use ck8s_auth::{Auth, CertificateConfig};
use ck8s_db::ServiceRole;
use ck8s_ingress::{Ingress, IngressConfig, IngressDeps};
use ck8s_repositories::{Repositories, RepositoriesConfig, RepositoriesDeps};
use ck8s_rpc::mesh::{Channel, Mesh};
use ck8s_runs::{Runs, RunsDeps};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::options::Options;
use crate::{
    roles::{ROLES, Role},
    sign_in,
};

/// The services of this process.
pub(super) struct LocalServices {
    pub(super) routes: Routes,
    pub(super) auth: Option<Auth>,
    pub(super) pools: Vec<PgPool>,
}

/// Starts the services; their tasks end with `stopping`.
pub(super) async fn build(
    options: &Options,
    mesh: &Mesh,
    stopping: &CancellationToken,
) -> Result<LocalServices> {
    let mut services = LocalServices {
        routes: Routes::default(),
        auth: None,
        pools: Vec::new(),
    };
    for role in ROLES.iter().filter(|role| options.roles.has(role.name)) {
        let Some((service_role, connections)) = role.database else {
            continue;
        };
        let pool = connect(database_url(options)?, service_role, connections).await?;
        services.pools.push(pool.clone());
        let channel = mesh.channel(role.name);
        services.add(role, options, pool, channel, stopping).await?;
    }
    Ok(services)
}

impl LocalServices {
    async fn add(
        &mut self,
        role: &Role,
        options: &Options,
        pool: PgPool,
        channel: Channel,
        stopping: &CancellationToken,
    ) -> Result<()> {
        let stopping = stopping.clone();
        let routes = std::mem::take(&mut self.routes);
        self.routes = match role.name {
            "auth" => {
                let service = start_auth(options, pool, stopping).await?;
                let routes = routes
                    .add_service(service.auth_server())
                    .add_service(service.projects_server());
                self.auth = Some(service);
                routes
            }
            "repositories" => {
                let deps = RepositoriesDeps { pool, channel };
                let service = start_repositories(options, deps, stopping).await?;
                routes.add_service(service.server())
            }
            "ingress" => {
                let config = IngressConfig {
                    platform_secret: options.secrets.webhook_secret.clone(),
                };
                let service = Ingress::start(IngressDeps { pool, channel }, config, stopping);
                routes.add_service(service.server())
            }
            "runs" => {
                let service = start_runs(options, pool, channel, stopping).await?;
                routes
                    .add_service(service.runs_server())
                    .add_service(service.lease_server())
            }
            _ => routes,
        };
        Ok(())
    }
}

async fn start_auth(options: &Options, pool: PgPool, stopping: CancellationToken) -> Result<Auth> {
    let certificates = options.mesh.mesh_ca.clone().map(|dir| CertificateConfig {
        authority_dir: dir,
        ttl: options.mesh.worker_certificate_life(),
    });
    let config = options.sign_in.auth(&options.secrets, certificates)?;
    let started = Auth::start(pool, config, stopping).await;
    started.map_err(sign_in::start_error)
}

async fn start_repositories(
    options: &Options,
    deps: RepositoriesDeps,
    stopping: CancellationToken,
) -> Result<Repositories> {
    let config = RepositoriesConfig {
        key_ring: options.secrets.key_ring()?,
        provider: options.sign_in.managed_provider(database_url(options)?)?,
    };
    let started = Repositories::start(deps, config, stopping).await;
    started.context("CK8S_KEY_RING")
}

async fn start_runs(
    options: &Options,
    pool: PgPool,
    channel: Channel,
    stopping: CancellationToken,
) -> Result<Runs> {
    let config = options.tuning.runs(options.secrets.run_token_key()?)?;
    let deps = RunsDeps {
        pool,
        database_url: database_url(options)?.expose_secret().to_owned(),
        channel,
    };
    Ok(Runs::start(deps, config, stopping).await?)
}

fn database_url(options: &Options) -> Result<&SecretString> {
    options.database_url.as_ref().context("no database")
}

async fn connect(url: &SecretString, role: ServiceRole, connections: u32) -> Result<PgPool> {
    ck8s_db::connect(url.expose_secret(), role, connections)
        .await
        .with_context(|| format!("as {}", role.as_str()))
}
