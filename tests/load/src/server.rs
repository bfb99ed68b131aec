//! The server under test: built for release, with its own durable PostgreSQL, started by `ck8s up`; and clients of it.
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use ck8s_proto::{
    auth::v1::{
        CreateProjectRequest, CreateTokenRequest, TokenKind,
        auth_service_client::AuthServiceClient, projects_service_client::ProjectsServiceClient,
    },
    repositories::v1::{
        AddRepositoryRequest, repositories_service_client::RepositoriesServiceClient,
    },
    runs::v1::{SetSlotsRequest, runs_service_client::RunsServiceClient},
};
use serde::Deserialize;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

/// The ready file of `ck8s up`.
#[derive(Debug, Deserialize, Clone)]
pub(crate) struct Ready {
    pub(crate) url: String,
    pub(crate) admin_token: String,
    pub(crate) database_url: String,
}

/// A running server.
pub(crate) struct BenchServer {
    pub(crate) ready: Ready,
    pub(crate) pool: PgPool,
    pub(crate) dir: TempDir,
    child: Child,
}

/// Adds the token to each call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, tonic::Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub(crate) type Authorized = InterceptedService<Channel, Bearer>;

impl BenchServer {
    /// Starts a server in a fresh directory.
    pub(crate) async fn start(binary: &Path, extra: &[&str]) -> Result<Self> {
        let dir = TempDir::new()?;
        let (child, ready, _) = launch(binary, dir.path(), extra).await?;
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .connect(&ready.database_url)
            .await?;
        Ok(Self {
            ready,
            pool,
            dir,
            child,
        })
    }

    /// Returns `host:port` of the public listener.
    pub(crate) fn authority(&self) -> &str {
        self.ready
            .url
            .trim_start_matches("http://")
            .trim_end_matches('/')
    }

    /// Opens a new channel with a token.
    pub(crate) async fn channel(&self, token: &str) -> Result<Authorized> {
        let channel = Endpoint::from_shared(self.ready.url.clone())?
            .tcp_nodelay(true)
            .connect()
            .await?;
        Ok(InterceptedService::new(
            channel,
            Bearer(format!("Bearer {token}").parse()?),
        ))
    }

    /// Opens a channel of the admin.
    pub(crate) async fn admin(&self) -> Result<Authorized> {
        self.channel(&self.ready.admin_token).await
    }

    /// Creates a project with slots.
    pub(crate) async fn project(&self, slug: &str, slots: i32) -> Result<String> {
        let request = CreateProjectRequest {
            slug: slug.to_owned(),
            ..CreateProjectRequest::default()
        };
        let made = ProjectsServiceClient::new(self.admin().await?)
            .create_project(request)
            .await?
            .into_inner();
        let project = made.project.context("a project")?.id;
        self.set_slots(&project, slots).await?;
        Ok(project)
    }

    /// Sets how many slots a project has.
    pub(crate) async fn set_slots(&self, project: &str, slots: i32) -> Result<()> {
        let request = SetSlotsRequest {
            project: project.to_owned(),
            slots,
            ..SetSlotsRequest::default()
        };
        RunsServiceClient::new(self.admin().await?)
            .set_slots(request)
            .await?;
        Ok(())
    }

    /// Adds a repository whose issues make runs for workers with a label. Returns its webhook secret.
    pub(crate) async fn repository(
        &self,
        project: &str,
        external_id: u64,
        worker_label: &str,
    ) -> Result<String> {
        let services_text = format!(
            "version: 1\ntriggers:\n  - name: load\n    on: {{event: issues, actions: [labeled], labels: [\"run:load\"]}}\n    \
             run: {{image: none, command: [\"true\"], labels: [{worker_label}]}}\n"
        );
        self.repository_with(project, external_id, services_text)
            .await
    }

    /// Adds a repository with this services.yaml. Returns its webhook secret.
    pub(crate) async fn repository_with(
        &self,
        project: &str,
        external_id: u64,
        services_text: String,
    ) -> Result<String> {
        let request = AddRepositoryRequest {
            project: project.to_owned(),
            full_name: format!("load/hello-{external_id}"),
            external_id: external_id.to_string(),
            services_text,
            ..AddRepositoryRequest::default()
        };
        let added = RepositoriesServiceClient::new(self.admin().await?)
            .add_repository(request)
            .await?;
        Ok(added.into_inner().webhook_secret)
    }

    /// Creates a worker's token.
    pub(crate) async fn worker_token(&self, name: &str) -> Result<String> {
        let request = CreateTokenRequest {
            name: name.to_owned(),
            kind: TokenKind::Worker.into(),
            ..CreateTokenRequest::default()
        };
        Ok(AuthServiceClient::new(self.admin().await?)
            .create_token(request)
            .await?
            .into_inner()
            .secret)
    }

    /// Returns how many rows a table has.
    pub(crate) async fn count(&self, what: &'static str) -> Result<i64> {
        Ok(sqlx::query_scalar(what).fetch_one(&self.pool).await?)
    }
}

impl Drop for BenchServer {
    fn drop(&mut self) {
        let _ = terminate(&mut self.child);
    }
}

/// Starts a server and waits until it is ready. Returns how long that took.
pub(crate) async fn launch(
    binary: &Path,
    dir: &Path,
    extra: &[&str],
) -> Result<(Child, Ready, Duration)> {
    let ready_file: PathBuf = dir.join("ready-for-load.json");
    let _ = std::fs::remove_file(&ready_file);
    let began = Instant::now();
    let mut child = Command::new(binary)
        .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.join("data"))
        .arg("--ready-file")
        .arg(&ready_file)
        .args(extra)
        .env_remove("DATABASE_URL")
        .env("CK8S_LOG", "warn")
        .env("CK8S_WEBHOOK_RATE", "1000000")
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| {
            format!(
                "cannot start {}: build it with cargo build --release -p ck8s",
                binary.display()
            )
        })?;
    loop {
        if let Some(ready) = std::fs::read(&ready_file)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
        {
            return Ok((child, ready, began.elapsed()));
        }
        if let Some(status) = child.try_wait()? {
            bail!("{} ended with {status}", binary.display());
        }
        if began.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            bail!("{} is not ready after a minute", binary.display());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Stops a server as an operator does.
pub(crate) fn terminate(child: &mut Child) -> Result<()> {
    if child.try_wait()?.is_none() {
        Command::new("kill").arg(child.id().to_string()).status()?;
        child.wait()?;
    }
    Ok(())
}
