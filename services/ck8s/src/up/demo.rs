//! The demo project and its repository: made once, through the public listener, as any admin would.
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ck8s_proto::{
    auth::v1::{CreateProjectRequest, projects_service_client::ProjectsServiceClient},
    repositories::v1::{
        AddRepositoryRequest, GetRepositoryRequest, Repository, UpdateRepositoryRequest,
        repositories_service_client::RepositoriesServiceClient,
    },
    runs::v1::{ListWorkersRequest, runs_service_client::RunsServiceClient},
};
use ck8s_types::RequestId;
use secrecy::{ExposeSecret, SecretString};
use tonic::{
    Code, Request, Status,
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};

const PROJECT: &str = "demo";
const FULL_NAME: &str = "demo/demo";
const EXTERNAL_ID: u64 = 1;
/// The first line of the services.yaml that `ck8s up` writes. A text without it belongs to the user and is left alone.
const GENERATED_MARKER: &str = "# Written by `ck8s up`. Remove this line to keep your own version.";
/// Bounds how long the server and its worker take until they serve: a busy machine needs seconds.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between two calls of a server that is too busy.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// What the demo is made of.
pub(crate) struct Demo {
    /// The project's slug.
    pub(crate) project: String,
    /// Its repository.
    pub(crate) repository: DemoRepository,
}

/// The demo repository, as the ready file says it.
pub(crate) struct DemoRepository {
    /// Ours.
    pub(crate) id: String,
    /// owner/name.
    pub(crate) full_name: String,
    /// The provider's.
    pub(crate) external_id: u64,
}

impl Demo {
    /// Makes what is missing of it. A server that comes back to much work may be too busy at first.
    pub(crate) async fn ensure(
        url: &str,
        admin: &SecretString,
        webhook_secret: &SecretString,
        image: &str,
    ) -> Result<Self> {
        let until = Instant::now() + START_TIMEOUT;
        loop {
            match Self::try_ensure(url, admin, webhook_secret, image).await {
                Err(error) if is_unavailable(&error) && Instant::now() < until => {
                    tracing::info!(error = format!("{error:#}"), "the server is not ready yet");
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                done => return done,
            }
        }
    }

    async fn try_ensure(
        url: &str,
        admin: &SecretString,
        webhook_secret: &SecretString,
        image: &str,
    ) -> Result<Self> {
        let admin = Admin::connect(url, admin).await?;
        admin
            .ensure_project()
            .await
            .context("making the demo project")?;
        let repository = admin
            .ensure_repository(webhook_secret, image)
            .await
            .context("making the demo repository")?;
        Ok(Self {
            project: PROJECT.to_owned(),
            repository: DemoRepository {
                id: repository.id,
                full_name: repository.full_name,
                external_id: EXTERNAL_ID,
            },
        })
    }
}

/// Waits until the server knows the worker as connected.
pub(crate) async fn worker_connected(url: &str, admin: &SecretString, id: &str) -> Result<()> {
    use ck8s_proto::runs::v1::WorkerState;
    let admin = Admin::connect(url, admin).await?;
    let mut runs = RunsServiceClient::new(admin.channel.clone());
    let looking = async {
        loop {
            let request = admin.ask(ListWorkersRequest {
                page_size: 200,
                ..Default::default()
            })?;
            let workers = match runs.list_workers(request).await {
                Ok(answer) => answer.into_inner().workers,
                Err(status) if status.code() == Code::Unavailable => Vec::new(),
                Err(status) => return Err(status.into()),
            };
            if workers
                .iter()
                .any(|worker| worker.id == id && worker.state() == WorkerState::Connected)
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(START_TIMEOUT, looking).await {
        Ok(looked) => looked,
        Err(_) => bail!("the worker did not connect within {START_TIMEOUT:?}"),
    }
}

fn is_unavailable(error: &anyhow::Error) -> bool {
    let status = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Status>());
    status.is_some_and(|status| status.code() == Code::Unavailable)
}

/// The local admin, as a client.
struct Admin {
    channel: Channel,
    bearer: AsciiMetadataValue,
}

impl Admin {
    async fn connect(url: &str, token: &SecretString) -> Result<Self> {
        let channel = Endpoint::from_shared(url.to_owned())?
            .connect()
            .await
            .context("connecting to the public listener")?;
        let mut bearer = AsciiMetadataValue::try_from(format!("Bearer {}", token.expose_secret()))?;
        bearer.set_sensitive(true);
        Ok(Self { channel, bearer })
    }

    fn ask<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", self.bearer.clone());
        request.set_timeout(START_TIMEOUT);
        Ok(request)
    }

    async fn ensure_project(&self) -> Result<()> {
        let request = CreateProjectRequest {
            request_id: RequestId::new().to_string(),
            slug: PROJECT.to_owned(),
            name: "Demo".to_owned(),
        };
        match ProjectsServiceClient::new(self.channel.clone())
            .create_project(self.ask(request)?)
            .await
        {
            Err(status) if status.code() != Code::AlreadyExists => Err(status.into()),
            _ => Ok(()),
        }
    }

    async fn ensure_repository(
        &self,
        webhook_secret: &SecretString,
        image: &str,
    ) -> Result<Repository> {
        let mut service = RepositoriesServiceClient::new(self.channel.clone());
        let request = GetRepositoryRequest {
            repository: FULL_NAME.to_owned(),
            project_ids: Vec::new(),
        };
        let services_text = services_text(image);
        let found = match service.get_repository(self.ask(request)?).await {
            Ok(answer) => answer.into_inner().repository,
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => return Err(status.into()),
        };
        let answer = match found {
            None => {
                let request = AddRepositoryRequest {
                    request_id: RequestId::new().to_string(),
                    project: PROJECT.to_owned(),
                    full_name: FULL_NAME.to_owned(),
                    external_id: EXTERNAL_ID.to_string(),
                    default_branch: "main".to_owned(),
                    services_text,
                    webhook_secret: webhook_secret.expose_secret().to_owned(),
                    ..Default::default()
                };
                service
                    .add_repository(self.ask(request)?)
                    .await?
                    .into_inner()
                    .repository
            }
            Some(found)
                if found.services_text.starts_with(GENERATED_MARKER)
                    && found.services_text != services_text =>
            {
                let request = UpdateRepositoryRequest {
                    request_id: RequestId::new().to_string(),
                    repository: found.id,
                    update_mask: Some(prost_types::FieldMask {
                        paths: vec!["services_text".to_owned()],
                    }),
                    services_text,
                    etag: found.etag,
                    ..Default::default()
                };
                service
                    .update_repository(self.ask(request)?)
                    .await?
                    .into_inner()
                    .repository
            }
            Some(found) => Some(found),
        };
        answer.context("an answer without the repository")
    }
}

/// The demo's services.yaml: a short script, for a label, a comment and a push.
fn services_text(image: &str) -> String {
    // JSON's quoting is YAML's too.
    let image = serde_json::Value::from(image);
    format!(
        r#"{GENERATED_MARKER}
version: 1

defaults:
  image: {image}
  command:
    - /bin/sh
    - -c
    - |
      echo "Hello from run $CK8S_RUN_ID"
      for step in 1 2 3 4; do
        echo "step $step of 4"
        sleep 0.5
      done
      echo "done"
    - demo
  timeouts: {{ pending: 5m, running: 5m }}

triggers:
  - name: label
    on: {{ event: issues, actions: [labeled], labels: ["run:dev"] }}
    run: {{}}
  - name: command
    on: {{ event: issue_comment, actions: [created], comment: /run }}
    run: {{}}
  - name: push
    on: {{ event: push, branches: ["$default"] }}
    run: {{}}
"#
    )
}
