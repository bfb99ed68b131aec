//! The repository that the checks use, in the project `smoke`: it is made before them and removed after them.
use std::time::Duration;

use ck8s_proto::{
    auth::v1::{CreateProjectRequest, DeleteProjectRequest},
    repositories::v1::{AddRepositoryRequest, RemoveRepositoryRequest},
    runs::v1::{CancelRunRequest, GetRunRequest, RunState},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;

use super::args::Smoke;
use crate::{
    client::request_id,
    commands::delivery,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
};

/// The project of every smoke test. A project with runs cannot be removed, because runs are history; so it stays and is
/// used again.
pub(super) const PROJECT: &str = "smoke";
/// The label that makes the run when it is set.
pub(super) const LABEL: &str = "smoke";
/// The text that the run prints.
pub(super) const LOG_TEXT: &str = "ck8s smoke: this run works";
/// Bounds how long the server takes to handle a delivery.
pub(super) const HANDLED_TIMEOUT: Duration = Duration::from_secs(30);
/// The lowest external id: far above GitHub's own, and exact in every JSON reader.
const MIN_EXTERNAL_ID: u64 = 8_000_000_000_000_000;

/// The repository, and what the checks have made in it.
pub(super) struct Fixture {
    /// owner/name.
    pub(super) full_name: String,
    /// The provider's id.
    pub(super) external_id: u64,
    /// The webhook secret.
    pub(super) secret: SecretString,
    /// The delivery that makes the run; set before it is sent.
    pub(super) delivery: String,
    /// The run's id, once it is known.
    pub(super) run: String,
    services_text: String,
    created_project: bool,
}

impl Fixture {
    /// Chooses names that nobody else uses; nothing is made yet.
    pub(super) fn new(args: &Smoke) -> Self {
        let random = Uuid::new_v4().as_u128();
        Self {
            full_name: format!("smoke/{:012x}", random >> 80),
            external_id: MIN_EXTERNAL_ID + u64::try_from(random & 0xff_ffff_ffff).unwrap_or(0),
            secret: Uuid::new_v4().simple().to_string().into(),
            delivery: String::new(),
            run: String::new(),
            services_text: services_file(args).to_string(),
            created_project: false,
        }
    }

    /// Creates the project if it does not exist, and adds the repository.
    pub(super) async fn create(&mut self, connection: &Connection) -> Result<String, CliError> {
        self.create_project(connection).await?;
        let request = AddRepositoryRequest {
            request_id: request_id(),
            project: PROJECT.to_owned(),
            full_name: self.full_name.clone(),
            external_id: self.external_id.to_string(),
            default_branch: String::new(),
            services_text: self.services_text.clone(),
            webhook_secret: self.secret.expose_secret().to_owned(),
            ..Default::default()
        };
        connection
            .client
            .repositories()
            .add_repository(connection.client.request(request))
            .await
            .context(format!("cannot add repository {}", self.full_name))?;
        Ok(format!("{} in project {PROJECT}", self.full_name))
    }

    async fn create_project(&mut self, connection: &Connection) -> Result<(), CliError> {
        let request = CreateProjectRequest {
            request_id: request_id(),
            slug: PROJECT.to_owned(),
            name: "Smoke tests".to_owned(),
        };
        let mut projects = connection.client.projects();
        match projects
            .create_project(connection.client.request(request))
            .await
        {
            Ok(_) => self.created_project = true,
            Err(status) if status.code() == Code::AlreadyExists => {}
            Err(status) => {
                let what = format!("cannot create project {PROJECT}");
                return Err(CliError::status(what, &status));
            }
        }
        Ok(())
    }

    /// Removes what was made, and cancels the run if it has not ended.
    pub(super) async fn remove(&self, connection: &Connection) -> Result<String, CliError> {
        let run = self.run(connection).await;
        let ended = match &run {
            Ok(run) if !run.is_empty() => cancel_run(connection, run).await,
            _ => Ok(()),
        };
        let request = RemoveRepositoryRequest {
            request_id: request_id(),
            repository: self.full_name.clone(),
        };
        let mut repositories = connection.client.repositories();
        let removed = repositories
            .remove_repository(connection.client.request(request))
            .await;
        match removed {
            Ok(_) => {}
            // It was never added.
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => {
                let what = format!("cannot remove repository {}", self.full_name);
                return Err(CliError::status(what, &status));
            }
        }
        ended?;
        if run?.is_empty() && self.created_project {
            self.remove_project(connection).await?;
            return Ok(format!(
                "repository {} and project {PROJECT} are removed",
                self.full_name
            ));
        }
        Ok(format!(
            "repository {} is removed; project {PROJECT} stays with the history of its runs",
            self.full_name
        ))
    }

    /// Returns the run that the delivery made, even if a signal came before it was known; empty if there is none.
    async fn run(&self, connection: &Connection) -> Result<String, CliError> {
        if !self.run.is_empty() || self.delivery.is_empty() {
            return Ok(self.run.clone());
        }
        match delivery::wait_until_handled(connection, &self.delivery, HANDLED_TIMEOUT).await {
            Ok(delivery) => Ok(delivery.run_id),
            // The delivery was never stored.
            Err(error) if error.exit_status() == ExitStatus::NotFound => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    async fn remove_project(&self, connection: &Connection) -> Result<(), CliError> {
        let request = DeleteProjectRequest {
            request_id: request_id(),
            project: PROJECT.to_owned(),
            confirm_slug: PROJECT.to_owned(),
            ..Default::default()
        };
        let mut projects = connection.client.projects();
        match projects
            .delete_project(connection.client.request(request))
            .await
        {
            Ok(_) => Ok(()),
            // Another smoke test uses it now.
            Err(status) if matches!(status.code(), Code::FailedPrecondition | Code::NotFound) => {
                Ok(())
            }
            Err(status) => Err(CliError::status(
                format!("cannot delete project {PROJECT}"),
                &status,
            )),
        }
    }
}

/// Cancels a run that has not ended.
async fn cancel_run(connection: &Connection, id: &str) -> Result<(), CliError> {
    let (what, mut runs) = (format!("cannot cancel run {id}"), connection.client.runs());
    let ask = connection.client.request(GetRunRequest {
        run_id: id.to_owned(),
    });
    let run = runs.get_run(ask).await.context(&what)?.run;
    let state = run.unwrap_or_default().state();
    if !matches!(state, RunState::Pending | RunState::Running) {
        return Ok(());
    }
    let request = CancelRunRequest {
        request_id: request_id(),
        run_id: id.to_owned(),
        message: "the smoke test is over".to_owned(),
    };
    match runs.cancel_run(connection.client.request(request)).await {
        Ok(_) => Ok(()),
        // It ended by itself in the meantime.
        Err(status) if status.code() == Code::FailedPrecondition => Ok(()),
        Err(status) => Err(CliError::status(what, &status)),
    }
}

/// Returns the services.yaml of the repository; JSON is YAML.
fn services_file(args: &Smoke) -> Value {
    let seconds = args.timeout.as_secs().clamp(1, 86_400);
    let mut run = json!({
        "command": ["echo", LOG_TEXT],
        "labels": args.labels,
        "resources": {"cpu": "50m", "memory": "64Mi"},
        "timeouts": {"unscheduled": format!("{seconds}s"), "pending": format!("{seconds}s"), "running": "1m"},
    });
    if let Some(image) = &args.image {
        run["image"] = json!(image);
    }
    json!({
        "version": 1,
        "triggers": [{
            "name": "smoke",
            "on": {"event": "issues", "actions": ["labeled"], "labels": [LABEL]},
            "run": run,
        }],
    })
}
