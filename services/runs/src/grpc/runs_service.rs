//! `RunsService`: each method and the file that handles it.
use std::sync::Arc;

use ck8s_proto::runs::v1::{self as pb, runs_service_server::RunsService};
use tonic::{Request, Response, Status};

use super::{
    create_runs, explain_run, flow_events, logs, request::Streaming, runs, secrets, slots,
    watch_runs, workers,
};
use crate::engine::Engine;

/// Handles the calls of people and of other services.
pub struct RunsHandler {
    engine: Arc<Engine>,
}

impl RunsHandler {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

macro_rules! calls {
    ($($name:ident: $request:ident => $response:ident = $call:path),+ $(,)?) => {
        #[tonic::async_trait]
        impl RunsService for RunsHandler {
            type WatchRunsStream = Streaming<pb::WatchRunsResponse>;
            type ReadLogStream = Streaming<pb::ReadLogResponse>;

            async fn watch_runs(&self, request: Request<pb::WatchRunsRequest>) -> Result<Response<Self::WatchRunsStream>, Status> {
                watch_runs::watch_runs(&self.engine, request).await.map(Response::new)
            }

            async fn read_log(&self, request: Request<pb::ReadLogRequest>) -> Result<Response<Self::ReadLogStream>, Status> {
                logs::read_log(&self.engine, request).await.map(Response::new)
            }

            $(async fn $name(&self, request: Request<pb::$request>) -> Result<Response<pb::$response>, Status> {
                $call(&self.engine, request).await.map(Response::new)
            })+
        }
    };
}

calls! {
    authenticate_run: AuthenticateRunRequest => AuthenticateRunResponse = secrets::authenticate_run,
    cancel_run: CancelRunRequest => CancelRunResponse = runs::cancel_run,
    create_runs: CreateRunsRequest => CreateRunsResponse = create_runs::create_runs,
    drain_worker: DrainWorkerRequest => DrainWorkerResponse = workers::drain_worker,
    explain_run: ExplainRunRequest => ExplainRunResponse = explain_run::explain_run,
    get_run: GetRunRequest => GetRunResponse = runs::get_run,
    list_flow_events: ListFlowEventsRequest => ListFlowEventsResponse = flow_events::list_flow_events,
    list_runs: ListRunsRequest => ListRunsResponse = runs::list_runs,
    list_slots: ListSlotsRequest => ListSlotsResponse = slots::list_slots,
    list_workers: ListWorkersRequest => ListWorkersResponse = workers::list_workers,
    release_slot: ReleaseSlotRequest => ReleaseSlotResponse = slots::release_slot,
    retry_run: RetryRunRequest => RetryRunResponse = runs::retry_run,
    set_slots: SetSlotsRequest => SetSlotsResponse = slots::set_slots,
    start_run: StartRunRequest => StartRunResponse = runs::start_run,
}
