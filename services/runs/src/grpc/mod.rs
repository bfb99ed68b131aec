//! The calls: decode, call, encode.
mod create;
mod lease;
mod lease_frames;
mod logs;
mod read;
mod secrets;
mod start;
mod stop;
mod waits;
mod watch;
mod workers;

use std::{pin::Pin, sync::Arc};

use ck8s_proto::runs::v1::{
    self as pb, lease_service_server::LeaseServiceServer, runs_service_server as server,
};
use ck8s_rpc::mesh::Channel;
use sqlx::PgPool;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{RunsConfig, RunsError, engine::Engine};

type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service: its tasks run as long as it is not shut down.
#[derive(Clone)]
pub struct Runs {
    engine: Arc<Engine>,
}

impl Runs {
    /// Starts the service's tasks.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn start(
        pool: PgPool,
        database_url: String,
        channel: Channel,
        config: RunsConfig,
        shutdown: CancellationToken,
    ) -> Result<Self, RunsError> {
        let engine = Engine::start(pool, &database_url, channel, config, shutdown).await?;
        Ok(Self { engine })
    }

    /// `RunsService`.
    #[must_use]
    pub fn runs_server(&self) -> server::RunsServiceServer<Self> {
        server::RunsServiceServer::new(self.clone())
            .max_decoding_message_size(ck8s_rpc::mesh::MAX_MESSAGE)
    }

    /// `LeaseService`.
    #[must_use]
    pub fn lease_server(&self) -> LeaseServiceServer<Self> {
        LeaseServiceServer::new(self.clone()).max_decoding_message_size(ck8s_rpc::mesh::MAX_MESSAGE)
    }
}

macro_rules! calls {
    ($($name:ident: $request:ident => $response:ident = $call:path),+ $(,)?) => {
        #[tonic::async_trait]
        impl server::RunsService for Runs {
            type WatchRunsStream = Streaming<pb::WatchRunsResponse>;
            type ReadLogStream = Streaming<pb::ReadLogResponse>;

            async fn watch_runs(&self, request: Request<pb::WatchRunsRequest>) -> Result<Response<Self::WatchRunsStream>, Status> {
                watch::watch_runs(&self.engine, &request).await.map(Response::new)
            }

            async fn read_log(&self, request: Request<pb::ReadLogRequest>) -> Result<Response<Self::ReadLogStream>, Status> {
                logs::read_log(&self.engine, &request).await.map(Response::new)
            }

            async fn create_runs(&self, request: Request<pb::CreateRunsRequest>) -> Result<Response<pb::CreateRunsResponse>, Status> {
                create::create_runs(&self.engine, request.into_inner()).await.map(Response::new)
            }

            $(async fn $name(&self, request: Request<pb::$request>) -> Result<Response<pb::$response>, Status> {
                $call(&self.engine, &request).await.map(Response::new)
            })+
        }
    };
}

calls! {
    list_runs: ListRunsRequest => ListRunsResponse = read::list_runs,
    get_run: GetRunRequest => GetRunResponse = read::get_run,
    list_flow_events: ListFlowEventsRequest => ListFlowEventsResponse = read::list_flow_events,
    start_run: StartRunRequest => StartRunResponse = start::start_run,
    retry_run: RetryRunRequest => RetryRunResponse = start::retry_run,
    cancel_run: CancelRunRequest => CancelRunResponse = stop::cancel_run,
    explain_run: ExplainRunRequest => ExplainRunResponse = waits::explain_run,
    list_slots: ListSlotsRequest => ListSlotsResponse = workers::list_slots,
    set_slots: SetSlotsRequest => SetSlotsResponse = workers::set_slots,
    list_workers: ListWorkersRequest => ListWorkersResponse = workers::list_workers,
    drain_worker: DrainWorkerRequest => DrainWorkerResponse = workers::drain_worker,
    authenticate_run: AuthenticateRunRequest => AuthenticateRunResponse = secrets::authenticate_run,
}
