//! ReadLog, and AppendLog of `LeaseService`.
use std::sync::Arc;

use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{caller::caller, convert::id};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{Request, Status};

use super::request::{Streaming, requester};
use crate::{
    domain::LogAppend,
    engine::Engine,
    service::{self, LogRequest},
};

pub(super) async fn append_log(
    engine: &Engine,
    request: Request<pb::AppendLogRequest>,
) -> Result<pb::AppendLogResponse, Status> {
    let caller = caller(&request);
    let appends = request.into_inner().appends.into_iter();
    let appends: Vec<LogAppend> = appends.map(TryInto::try_into).collect::<Result<_, _>>()?;
    let results = service::append_log(engine, caller.certified(), appends).await?;
    Ok(pb::AppendLogResponse {
        results: results.into_iter().map(Into::into).collect(),
    })
}

pub(super) async fn read_log(
    engine: &Arc<Engine>,
    request: Request<pb::ReadLogRequest>,
) -> Result<Streaming<pb::ReadLogResponse>, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let log = LogRequest {
        run: id("run_id", &request.run_id)?,
        attempt: (request.attempt != 0).then_some(request.attempt),
        offset: request.offset,
        follow: request.follow,
    };
    let pages = service::read_log(engine, &requester, log).await?;
    let responses = ReceiverStream::new(pages).map(|page| match page {
        Ok(page) => Ok(pb::ReadLogResponse {
            chunks: page.chunks.into_iter().map(Into::into).collect(),
            truncated: page.truncated,
        }),
        Err(error) => Err(error.into()),
    });
    Ok(Box::pin(responses))
}
