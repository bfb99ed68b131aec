//! LeaseService: the worker stream, and the calls that go with it.
use std::{sync::Arc, time::Duration};

use ck8s_proto::runs::v1::{
    self as pb, Draining, LeaseRequest, LeaseResponse, lease_request, lease_response,
    lease_service_server::LeaseService,
};
use ck8s_rpc::{Caller, caller::caller, convert::id, status};
use ck8s_types::{RunId, WorkerId};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::UnboundedReceiverStream};
use tonic::{Code, Request, Response, Status};

use super::{Runs, Streaming, lease_frames, logs, secrets};
use crate::{
    RunsError,
    engine::{Arriving, Engine},
    store::{runs, workers::Arrival},
};

/// How long a worker may take to say Hello: a stream that says nothing holds nothing.
const HELLO: Duration = Duration::from_secs(10);
/// How long a worker may take to leave when it is told that the server goes.
const LEAVE: Duration = Duration::from_secs(2);
/// Most runs of one FilterSweepable.
const MOST_SWEEPABLE: usize = 500;

type Frames = mpsc::UnboundedSender<Result<LeaseResponse, Status>>;

#[tonic::async_trait]
impl LeaseService for Runs {
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
            if let Err(status) = serve(&engine, &caller, incoming, frames.clone()).await {
                let _ = frames.send(Err(status));
            }
        });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(out))))
    }

    async fn append_log(
        &self,
        request: Request<pb::AppendLogRequest>,
    ) -> Result<Response<pb::AppendLogResponse>, Status> {
        let holder = caller(&request).certified().cloned();
        logs::append_log(&self.engine, holder, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn open_run_secrets(
        &self,
        request: Request<pb::OpenRunSecretsRequest>,
    ) -> Result<Response<pb::OpenRunSecretsResponse>, Status> {
        secrets::open_run_secrets(&self.engine, &request)
            .await
            .map(Response::new)
    }

    async fn filter_sweepable(
        &self,
        request: Request<pb::FilterSweepableRequest>,
    ) -> Result<Response<pb::FilterSweepableResponse>, Status> {
        let asked = &request.get_ref().run_ids;
        if asked.len() > MOST_SWEEPABLE {
            return Err(status::invalid(
                "run_ids",
                format!("at most {MOST_SWEEPABLE}"),
            ));
        }
        let ids = asked
            .iter()
            .map(|text| id::<RunId>("run_ids", text).map(RunId::uuid))
            .collect::<Result<Vec<_>, _>>()?;
        let found = async { runs::sweepable(&mut *self.engine.pool.acquire().await?, &ids).await };
        let run_ids = found
            .await
            .map_err(RunsError::from)?
            .iter()
            .map(ToString::to_string)
            .collect();
        Ok(Response::new(pb::FilterSweepableResponse { run_ids }))
    }
}

/// One stream from its Hello to its end.
async fn serve(
    engine: &Arc<Engine>,
    caller: &Caller,
    mut incoming: tonic::Streaming<LeaseRequest>,
    frames: Frames,
) -> Result<(), Status> {
    let first = tokio::time::timeout(HELLO, incoming.message()).await;
    let hello = match first.map_err(|_| status::precondition("NO_HELLO", "no Hello came"))?? {
        Some(LeaseRequest {
            frame: Some(lease_request::Frame::Hello(hello)),
        }) => hello,
        _ => {
            return Err(status::precondition(
                "NO_HELLO",
                "the first frame must be Hello",
            ));
        }
    };
    let (arrival, leases) = lease_frames::hello(hello)?;
    speaks_for(caller, &arrival.id)?;
    let arriving = Arriving {
        arrival: arrival.clone(),
        leases,
        frames: frames.clone(),
    };
    let session = engine.connect(arriving).await?;
    let ended = converse(engine, &arrival, session, &mut incoming, &frames).await;
    engine.disconnect(&arrival, session).await;
    ended
}

/// A worker with a certificate speaks for the id that the certificate names.
fn speaks_for(caller: &Caller, worker: &WorkerId) -> Result<(), Status> {
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

async fn converse(
    engine: &Arc<Engine>,
    arrival: &Arrival,
    session: u64,
    incoming: &mut tonic::Streaming<LeaseRequest>,
    frames: &Frames,
) -> Result<(), Status> {
    loop {
        tokio::select! {
            // The reader of the answers is gone: so is the stream.
            () = frames.closed() => return Ok(()),
            request = incoming.next() => match request {
                Some(Ok(request)) => lease_frames::take(engine, arrival, session, request).await?,
                Some(Err(_)) | None => return Ok(()),
            },
            () = engine.shutdown.cancelled() => break,
        }
    }
    let frame = Some(lease_response::Frame::Draining(Draining {}));
    let _ = frames.send(Ok(LeaseResponse { frame }));
    let _ = tokio::time::timeout(LEAVE, frames.closed()).await;
    Err(status::stopping())
}
