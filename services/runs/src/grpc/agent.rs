//! `AgentService`: what ck8s-agent asks and tells, with the token of its run.
use std::sync::Arc;

use ck8s_proto::runs::v1::{self as pb, agent_service_server::AgentService};
use ck8s_rpc::{Caller, caller::caller, status};
use ck8s_types::RunId;
use tonic::{Request, Response, Status};

use crate::{convert, domain::Attempt, engine::Engine, service};

/// Handles the calls of agents.
pub struct AgentHandler {
    engine: Arc<Engine>,
}

impl AgentHandler {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

#[tonic::async_trait]
impl AgentService for AgentHandler {
    async fn get_task(
        &self,
        request: Request<pb::GetTaskRequest>,
    ) -> Result<Response<pb::GetTaskResponse>, Status> {
        let run = own_run(&request)?;
        let attempt = request.get_ref().attempt;
        let task = service::agent_task(&self.engine, run, attempt).await?;
        Ok(Response::new(task.into()))
    }

    async fn append_activities(
        &self,
        request: Request<pb::AppendActivitiesRequest>,
    ) -> Result<Response<pb::AppendActivitiesResponse>, Status> {
        let attempt = attempt(own_run(&request)?, request.get_ref().attempt);
        let progress = convert::progress_from_pb(request.get_ref())?;
        let full = service::append_activities(&self.engine, attempt, progress).await?;
        Ok(Response::new(pb::AppendActivitiesResponse { full }))
    }

    async fn report_outcome(
        &self,
        request: Request<pb::ReportOutcomeRequest>,
    ) -> Result<Response<pb::ReportOutcomeResponse>, Status> {
        let attempt = attempt(own_run(&request)?, request.get_ref().attempt);
        let outcome = convert::outcome_from_pb(request.into_inner().outcome)?;
        service::report_outcome(&self.engine, attempt, &outcome).await?;
        Ok(Response::new(pb::ReportOutcomeResponse {}))
    }
}

/// Returns the run that calls.
fn own_run<T>(request: &Request<T>) -> Result<RunId, Status> {
    match caller(request) {
        Caller::Run { run_id, .. } => Ok(run_id),
        _ => Err(status::unauthenticated()),
    }
}

fn attempt(run: RunId, number: i32) -> Attempt {
    Attempt { run, number }
}
