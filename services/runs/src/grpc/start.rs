//! StartRun and RetryRun: runs that somebody asks for.
use ck8s_proto::{repositories::v1::Repository, runs::v1 as pb};
use ck8s_rpc::{
    access::{self, Access},
    caller,
    convert::{id, spec_from_pb},
    status,
};
use ck8s_types::{ProjectId, RepositoryId, RequestId, RunId, RunSpec, RunTrigger};
use tokio::sync::oneshot;
use tonic::{Request, Status};

use super::{create::pool, read::reached};
use crate::{
    RunsError,
    domain::NewRun,
    engine::{Creation, Engine},
    store::runs,
};

pub async fn start_run(
    engine: &Engine,
    request: &Request<pb::StartRunRequest>,
) -> Result<pb::StartRunResponse, Status> {
    let asked = request.get_ref();
    let request_id = request_id(&asked.request_id)?;
    let access = access::of(request);
    let repository = match asked.repository.as_str() {
        "" => None,
        name => Some(engine.peers.repository(name).await?),
    };
    if let Some(repository) = &repository {
        let project = id("repository", &repository.project_id)?;
        access.project(project, || {
            status::not_found("repository", &asked.repository)
        })?;
    }
    let project = project(engine, &access, &asked.project, repository.as_ref()).await?;
    let (name, spec) = what(asked, repository.as_ref())?;
    let actor = caller::caller(request).actor();
    let title = if asked.title.is_empty() {
        name.clone()
    } else {
        asked.title.clone()
    };
    let new = NewRun {
        id: RunId::new(),
        project,
        repository: repository_id(repository.as_ref())?,
        repository_name: repository.map(|r| r.full_name).unwrap_or_default(),
        delivery: None,
        trigger: RunTrigger {
            name,
            title,
            actor: actor.clone(),
            ..RunTrigger::default()
        },
        retry_of: None,
        pool: pool(engine, &spec.labels).await?,
        spec,
        actor,
    };
    let run = make(engine, &access, new, request_id, "StartRun").await?;
    Ok(pb::StartRunResponse { run: Some(run) })
}

pub async fn retry_run(
    engine: &Engine,
    request: &Request<pb::RetryRunRequest>,
) -> Result<pb::RetryRunResponse, Status> {
    let asked = request.get_ref();
    let request_id = request_id(&asked.request_id)?;
    let run_id: RunId = id("run_id", &asked.run_id)?;
    let old = {
        let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
        reached(&mut conn, request, run_id).await?
    };
    if !old.state.is_terminal() {
        return Err(RunsError::NotEnded(old.id, old.state).into());
    }
    let new = NewRun {
        id: RunId::new(),
        project: old.project,
        repository: old.repository,
        repository_name: old.repository_name,
        delivery: None,
        pool: pool(engine, &old.spec.labels).await?,
        trigger: old.trigger,
        spec: old.spec,
        retry_of: Some(old.id),
        actor: caller::caller(request).actor(),
    };
    let access = access::of(request);
    let run = make(engine, &access, new, request_id, "RetryRun").await?;
    Ok(pb::RetryRunResponse { run: Some(run) })
}

/// The project that is named, or the repository's; both must agree.
async fn project(
    engine: &Engine,
    access: &Access,
    named: &str,
    repository: Option<&Repository>,
) -> Result<ProjectId, Status> {
    let named = match named {
        "" => None,
        name => {
            let (project, _) = engine.peers.project(name).await?;
            access.project(project, || status::not_found("project", name))?;
            Some(project)
        }
    };
    let of_repository: Option<ProjectId> = repository
        .map(|r| id("repository", &r.project_id))
        .transpose()?;
    match (named, of_repository) {
        (Some(a), Some(b)) if a != b => {
            Err(status::invalid("repository", "belongs to another project"))
        }
        (Some(project), _) | (None, Some(project)) => Ok(project),
        (None, None) => Err(status::invalid("project", "name a project or a repository")),
    }
}

fn repository_id(repository: Option<&Repository>) -> Result<Option<RepositoryId>, Status> {
    repository.map(|r| id("repository", &r.id)).transpose()
}

/// A trigger's spec by its name, or the spec that is given.
fn what(
    asked: &pb::StartRunRequest,
    repository: Option<&Repository>,
) -> Result<(String, RunSpec), Status> {
    let spec = match (asked.trigger.as_str(), &asked.spec) {
        ("", Some(spec)) => spec.clone(),
        ("", None) => return Err(status::invalid("trigger", "name a trigger, or give a spec")),
        (_, Some(_)) => {
            return Err(status::invalid(
                "spec",
                "give a trigger or a spec, not both",
            ));
        }
        (name, None) => {
            let repository = repository
                .ok_or_else(|| status::invalid("trigger", "a trigger needs a repository"))?;
            let triggers = repository.services.iter().flat_map(|s| &s.triggers);
            let trigger = triggers.clone().find(|t| t.name == name);
            trigger.and_then(|t| t.spec.clone()).ok_or_else(|| {
                let names: Vec<&str> = triggers.map(|t| t.name.as_str()).collect();
                status::invalid(
                    "trigger",
                    format!(
                        "{} has no trigger {name:?}; it has: {}",
                        repository.full_name,
                        names.join(", ")
                    ),
                )
            })?
        }
    };
    let mut spec = spec_from_pb(spec).map_err(|f| ck8s_rpc::convert::invalid(&f))?;
    if spec.secrets.is_empty() || repository.is_some() {
        // A group's placeholders stand for what a delivery says; a run by hand has none of it.
        spec.concurrency_group = spec.concurrency_group.map(|g| g.replace(['{', '}'], ""));
        Ok((asked.trigger.clone(), spec))
    } else {
        Err(status::invalid(
            "spec.secrets",
            "secrets belong to a repository: name one",
        ))
    }
}

fn request_id(text: &str) -> Result<Option<RequestId>, Status> {
    ck8s_rpc::convert::optional_id("request_id", text)
}

/// Makes the run. Of a request that was answered before, it is the run that was made then: the caller must still reach it.
async fn make(
    engine: &Engine,
    access: &Access,
    new: NewRun,
    request: Option<RequestId>,
    method: &'static str,
) -> Result<pb::Run, Status> {
    let (reply, answer) = oneshot::channel();
    let creation = Creation {
        runs: vec![new],
        request: request.map(|id| (id, method)),
        reply,
    };
    engine.create(creation).await?;
    let made = answer.await.map_err(|_| RunsError::Stopping)?;
    let run_id = made
        .into_iter()
        .next()
        .ok_or(RunsError::Stopping)
        .map_err(Status::from)??;
    let run = runs::get(
        &mut *engine.pool.acquire().await.map_err(RunsError::from)?,
        run_id,
    )
    .await?;
    access.project(run.project, || RunsError::NoRun(run.id).into())?;
    Ok(run.into())
}
