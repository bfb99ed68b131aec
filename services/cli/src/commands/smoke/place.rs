//! Where the checks take place: a repository of their own in the project `smoke`, made and removed again.
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

use super::Smoke;
use crate::{
    client::request_id,
    commands::send,
    fault::{Answer as _, Exit, Fault},
    session::Session,
};

/// The project of every smoke test. A project with runs cannot be removed, and runs are history: so it stays, and is used again.
pub(super) const PROJECT: &str = "smoke";
/// The label whose setting makes the run.
pub(super) const LABEL: &str = "smoke";
/// What the run says.
pub(super) const WORDS: &str = "ck8s smoke: this run works";
/// How long a delivery may take to become a run.
pub(super) const HANDLED: Duration = Duration::from_secs(30);
/// Far above what GitHub has given out, and exact in every JSON reader.
const FIRST_ID: u64 = 8_000_000_000_000_000;

/// The place, and what came to be there.
pub(super) struct Place {
    /// owner/name.
    pub(super) full_name: String,
    /// The provider's id.
    pub(super) external_id: u64,
    /// The webhook secret.
    pub(super) secret: SecretString,
    /// The delivery that is to make the run, from before it is sent.
    pub(super) delivery: String,
    /// The run's id, once it is known.
    pub(super) run: String,
    services_text: String,
    made_project: bool,
}

impl Place {
    /// One that is not made yet, with names that nobody else uses.
    pub(super) fn new(args: &Smoke) -> Self {
        let own = Uuid::new_v4().as_u128();
        Self {
            full_name: format!("smoke/{:012x}", own >> 80),
            external_id: FIRST_ID + u64::try_from(own & 0xff_ffff_ffff).unwrap_or(0),
            secret: Uuid::new_v4().simple().to_string().into(),
            delivery: String::new(),
            run: String::new(),
            services_text: services(args).to_string(),
            made_project: false,
        }
    }

    /// Makes the project if need be, and the repository.
    pub(super) async fn make(&mut self, session: &Session) -> Result<String, Fault> {
        self.make_project(session).await?;
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
        session
            .client
            .repositories()
            .add_repository(session.client.ask(request))
            .await
            .or_say(format!("cannot add repository {}", self.full_name))?;
        Ok(format!("{} in project {PROJECT}", self.full_name))
    }

    async fn make_project(&mut self, session: &Session) -> Result<(), Fault> {
        let request = CreateProjectRequest {
            request_id: request_id(),
            slug: PROJECT.to_owned(),
            name: "Smoke tests".to_owned(),
        };
        let mut projects = session.client.projects();
        match projects.create_project(session.client.ask(request)).await {
            Ok(_) => self.made_project = true,
            Err(status) if status.code() == Code::AlreadyExists => {}
            Err(status) => {
                let what = format!("cannot create project {PROJECT}");
                return Err(Fault::status(what, &status));
            }
        }
        Ok(())
    }

    /// Removes what was made, and ends the run if it has not ended.
    pub(super) async fn remove(&self, session: &Session) -> Result<String, Fault> {
        let run = self.run(session).await;
        let ended = match &run {
            Ok(run) if !run.is_empty() => end_run(session, run).await,
            _ => Ok(()),
        };
        let request = RemoveRepositoryRequest {
            request_id: request_id(),
            repository: self.full_name.clone(),
        };
        let mut repositories = session.client.repositories();
        let removed = repositories
            .remove_repository(session.client.ask(request))
            .await;
        match removed {
            Ok(_) => {}
            // Its making failed.
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => {
                let what = format!("cannot remove repository {}", self.full_name);
                return Err(Fault::status(what, &status));
            }
        }
        ended?;
        if run?.is_empty() && self.made_project {
            self.remove_project(session).await?;
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

    /// The run that the delivery made, also if a signal came before anybody asked; empty: none.
    async fn run(&self, session: &Session) -> Result<String, Fault> {
        if !self.run.is_empty() || self.delivery.is_empty() {
            return Ok(self.run.clone());
        }
        match send::handled(session, &self.delivery, HANDLED).await {
            Ok(delivery) => Ok(delivery.run_id),
            // It never came to be stored.
            Err(fault) if fault.exit() == Exit::NotFound => Ok(String::new()),
            Err(fault) => Err(fault),
        }
    }

    async fn remove_project(&self, session: &Session) -> Result<(), Fault> {
        let request = DeleteProjectRequest {
            request_id: request_id(),
            project: PROJECT.to_owned(),
            confirm_slug: PROJECT.to_owned(),
            ..Default::default()
        };
        let mut projects = session.client.projects();
        match projects.delete_project(session.client.ask(request)).await {
            Ok(_) => Ok(()),
            // Another smoke test uses it by now.
            Err(status) if matches!(status.code(), Code::FailedPrecondition | Code::NotFound) => {
                Ok(())
            }
            Err(status) => Err(Fault::status(
                format!("cannot delete project {PROJECT}"),
                &status,
            )),
        }
    }
}

/// Cancels a run that has not ended.
async fn end_run(session: &Session, id: &str) -> Result<(), Fault> {
    let (what, mut runs) = (format!("cannot cancel run {id}"), session.client.runs());
    let ask = session.client.ask(GetRunRequest {
        run_id: id.to_owned(),
    });
    let run = runs.get_run(ask).await.or_say(&what)?.run;
    let state = run.unwrap_or_default().state();
    if !matches!(state, RunState::Pending | RunState::Running) {
        return Ok(());
    }
    let request = CancelRunRequest {
        request_id: request_id(),
        run_id: id.to_owned(),
        message: "the smoke test is over".to_owned(),
    };
    match runs.cancel_run(session.client.ask(request)).await {
        Ok(_) => Ok(()),
        // It ended by itself in between.
        Err(status) if status.code() == Code::FailedPrecondition => Ok(()),
        Err(status) => Err(Fault::status(what, &status)),
    }
}

/// The services.yaml of the repository; JSON is YAML.
fn services(args: &Smoke) -> Value {
    let seconds = args.timeout.as_secs().clamp(1, 86_400);
    let mut run = json!({
        "command": ["echo", WORDS],
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
