//! `LeaseService`: the worker stream, and the calls that go with it.
use std::{sync::Arc, time::Duration};

use ck8s_proto::runs::v1::{
    self as pb, LeaseRequest, LeaseResponse, lease_request, lease_service_server::LeaseService,
};
use ck8s_rpc::{Caller, caller::caller, convert::id, status};
use ck8s_types::{RunId, WorkerId};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::UnboundedReceiverStream};
use tonic::{Code, Request, Response, Status};

use super::{
    lease_frames::{hello_from_pb, worker_frame_from_pb},
    logs,
    request::Streaming,
    secrets,
};
use crate::{
    convert::server_frame_to_pb,
    domain::ServerFrame,
    engine::Engine,
    error::RunsError,
    service::{self, LeaseConnection},
};

/// How long a worker may take to say Hello: it bounds the streams that hold nothing.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Runs of one FilterSweepable: it bounds the time that a call takes.
const MAX_SWEEPABLE_RUNS: usize = 500;

/// Handles the streams and calls of workers.
pub struct LeaseHandler {
    engine: Arc<Engine>,
}

impl LeaseHandler {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

#[tonic::async_trait]
impl LeaseService for LeaseHandler {
    type LeaseStream = Streaming<LeaseResponse>;

    async fn lease(
        &self,
        request: Request<tonic::Streaming<LeaseRequest>>,
    ) -> Result<Response<Self::LeaseStream>, Status> {
        let (frames, out) = mpsc::unbounded_channel();
        let engine = self.engine.clone();
        let caller = caller(&request);
        let incoming = request.into_inner();
        tokio::spawn(async move {
            if let Err(error) = serve(&engine, &caller, incoming, frames.clone()).await {
                let _ = frames.send(Err(error));
            }
        });
        let responses = UnboundedReceiverStream::new(out).map(|frame| match frame {
            Ok(frame) => Ok(server_frame_to_pb(frame)),
            Err(error) => Err(error.into()),
        });
        Ok(Response::new(Box::pin(responses)))
    }

    async fn append_log(
        &self,
        request: Request<pb::AppendLogRequest>,
    ) -> Result<Response<pb::AppendLogResponse>, Status> {
        logs::append_log(&self.engine, request)
            .await
            .map(Response::new)
    }

    async fn open_run_secrets(
        &self,
        request: Request<pb::OpenRunSecretsRequest>,
    ) -> Result<Response<pb::OpenRunSecretsResponse>, Status> {
        secrets::open_run_secrets(&self.engine, request)
            .await
            .map(Response::new)
    }

    async fn filter_sweepable(
        &self,
        request: Request<pb::FilterSweepableRequest>,
    ) -> Result<Response<pb::FilterSweepableResponse>, Status> {
        let requested = &request.get_ref().run_ids;
        if requested.len() > MAX_SWEEPABLE_RUNS {
            let problem = format!("at most {MAX_SWEEPABLE_RUNS}");
            return Err(status::invalid("run_ids", problem));
        }
        let runs = requested.iter().map(|text| id("run_ids", text));
        let runs: Vec<RunId> = runs.collect::<Result<_, _>>()?;
        let sweepable = service::filter_sweepable(&self.engine, &runs).await?;
        Ok(Response::new(pb::FilterSweepableResponse {
            run_ids: sweepable.iter().map(RunId::to_string).collect(),
        }))
    }
}

/// Serves one stream from its Hello to its end.
async fn serve(
    engine: &Engine,
    caller: &Caller,
    mut incoming: tonic::Streaming<LeaseRequest>,
    frames: mpsc::UnboundedSender<Result<ServerFrame, RunsError>>,
) -> Result<(), RunsError> {
    let no_hello = |message: &'static str| status::precondition("NO_HELLO", message);
    let first = tokio::time::timeout(HELLO_TIMEOUT, incoming.message())
        .await
        .map_err(|_| no_hello("no Hello came"))??;
    let Some(lease_request::Frame::Hello(hello)) = first.and_then(|first| first.frame) else {
        return Err(no_hello("the first frame must be Hello").into());
    };
    let (hello, leases) = hello_from_pb(hello)?;
    check_speaks_for(caller, &hello.id)?;
    let connection = LeaseConnection {
        hello,
        leases,
        frames,
    };
    // A stream that breaks has ended, as one that its worker closes.
    let incoming = incoming
        .map_while(Result::ok)
        .map(|request| Ok(worker_frame_from_pb(request)?));
    service::serve_lease_stream(engine, connection, incoming).await
}

/// A worker with a certificate speaks for the id that the certificate names.
fn check_speaks_for(caller: &Caller, worker: &WorkerId) -> Result<(), Status> {
    match caller.certified() {
        Some(own) if own != worker => Err(status::error(
            Code::PermissionDenied,
            "OTHER_WORKER",
            format!("the certificate is worker {own}'s, not {worker}'s"),
            &[("certificate", own.as_str()), ("worker", worker.as_str())],
        )),
        _ => Ok(()),
    }
}
