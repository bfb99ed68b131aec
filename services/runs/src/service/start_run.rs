//! StartRun: a run that somebody asks for.
use ck8s_db::request_ids::RequestKey;
use ck8s_rpc::status;
use ck8s_types::{ProjectId, RunId, RunSpec, RunTrigger};
use tonic::Code;

use super::{Requester, label_pools::pool_of, make_run::make_run};
use crate::{
    domain::{NewRun, Repository, Run, RunSource, StartRun},
    engine::Engine,
    error::RunsError,
};

/// Makes a run of a trigger or a spec.
pub(crate) async fn start_run(
    engine: &Engine,
    requester: &Requester,
    start: StartRun,
    request: Option<RequestKey>,
) -> Result<Run, RunsError> {
    let named = match &start.project {
        None => None,
        Some(name) => Some(requester.project(&engine.peers, name).await?.0),
    };
    let repository = match &start.repository {
        None => None,
        Some(name) => Some(repository(engine, requester, name, named).await?),
    };
    let project = project(named, repository.as_ref())?;
    let (name, spec) = trigger_and_spec(start.source, repository.as_ref())?;
    let actor = requester.actor();
    let title = if start.title.is_empty() {
        name.clone()
    } else {
        start.title
    };
    let trigger = RunTrigger {
        // Nobody else's spec is given secrets.
        admin_spec: name.is_empty() && !spec.secrets.is_empty(),
        name,
        title,
        actor: actor.clone(),
        ..RunTrigger::default()
    };
    requester.check_secrets(project, &trigger, &spec)?;
    let new = NewRun {
        id: RunId::new(),
        project,
        repository: repository.as_ref().map(|r| r.id),
        repository_name: repository.map(|r| r.full_name).unwrap_or_default(),
        delivery: None,
        trigger,
        retry_of: None,
        pool: pool_of(engine, &spec.labels).await?,
        spec,
        actor,
    };
    make_run(engine, requester, new, request).await
}

/// Returns the repository of this name: of the named project or, if that has none, of one where the requester may start
/// runs. Several projects may have one of the same name. Where there is none, whoever has a lesser role is told so.
async fn repository(
    engine: &Engine,
    requester: &Requester,
    name: &str,
    named: Option<ProjectId>,
) -> Result<Repository, RunsError> {
    let reached = requester.access.scope().projects();
    let narrower = [
        named.into_iter().collect(),
        reached.clone().unwrap_or_default(),
    ];
    for projects in narrower.into_iter().filter(|projects| !projects.is_empty()) {
        match engine.peers.repository(name, &projects).await {
            Err(RunsError::Peer(status)) if status.code() == Code::NotFound => {}
            found => return found,
        }
    }
    let found = engine.peers.repository(name, &[]).await;
    if reached.is_none() {
        return found;
    }
    let missing = || status::not_found("repository", name);
    match found {
        Ok(found) => {
            requester.access.project(found.project, missing)?;
            Ok(found)
        }
        // Several projects have it, none of which is the requester's.
        Err(RunsError::Peer(status)) if status.code() == Code::FailedPrecondition => {
            Err(missing().into())
        }
        Err(error) => Err(error),
    }
}

/// Returns the project that is named, or the repository's; both must agree.
fn project(
    named: Option<ProjectId>,
    repository: Option<&Repository>,
) -> Result<ProjectId, RunsError> {
    match (named, repository.map(|r| r.project)) {
        (Some(named), Some(owner)) if named != owner => Err(RunsError::invalid(
            "repository",
            "belongs to another project",
        )),
        (Some(project), _) | (None, Some(project)) => Ok(project),
        (None, None) => Err(RunsError::invalid(
            "project",
            "name a project or a repository",
        )),
    }
}

/// Returns the name of the trigger, empty for a spec of the caller's own, and the spec.
fn trigger_and_spec(
    source: RunSource,
    repository: Option<&Repository>,
) -> Result<(String, RunSpec), RunsError> {
    let (name, mut spec) = match source {
        RunSource::Spec(spec) => (String::new(), *spec),
        RunSource::Trigger(name) => {
            let repository = repository
                .ok_or_else(|| RunsError::invalid("trigger", "a trigger needs a repository"))?;
            let spec = spec_of_trigger(repository, &name)?;
            (name, spec)
        }
    };
    if !spec.secrets.is_empty() && repository.is_none() {
        let problem = "secrets belong to a repository: name one";
        return Err(RunsError::invalid("spec.secrets", problem));
    }
    // A group's placeholders stand for what a delivery says; a run by hand has none of it.
    spec.concurrency_group = spec.concurrency_group.map(|g| g.replace(['{', '}'], ""));
    Ok((name, spec))
}

fn spec_of_trigger(repository: &Repository, name: &str) -> Result<RunSpec, RunsError> {
    let trigger = repository.triggers.iter().find(|t| t.name == name);
    let Some(trigger) = trigger else {
        let names: Vec<&str> = repository
            .triggers
            .iter()
            .map(|t| t.name.as_str())
            .collect();
        let problem = format!(
            "{} has no trigger {name:?}; it has: {}",
            repository.full_name,
            names.join(", ")
        );
        return Err(RunsError::invalid("trigger", problem));
    };
    Ok(trigger.spec.clone()?)
}
