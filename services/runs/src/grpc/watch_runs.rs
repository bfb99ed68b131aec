//! WatchRuns.
use std::sync::Arc;

use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{convert::optional_id, page};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{Request, Status};

use super::request::{Streaming, requester};
use crate::{
    engine::Engine,
    service::{self, WatchRequest, WatchUpdate},
};

pub(super) async fn watch_runs(
    engine: &Arc<Engine>,
    request: Request<pb::WatchRunsRequest>,
) -> Result<Streaming<pb::WatchRunsResponse>, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let watch = WatchRequest {
        project: optional_id("project_id", &request.project_id)?,
        run: optional_id("run_id", &request.run_id)?,
        from: page::decode("cursor", &request.cursor)?,
    };
    let updates = service::watch_runs(engine, &requester, watch).await?;
    let responses = ReceiverStream::new(updates).map(|update| match update {
        Ok(update) => Ok(response(&update)),
        Err(error) => Err(error.into()),
    });
    Ok(Box::pin(responses))
}

fn response(update: &WatchUpdate) -> pb::WatchRunsResponse {
    let item = update.item.as_deref();
    pb::WatchRunsResponse {
        event: item.map(|item| item.event.clone().into()),
        run: item.and_then(|item| item.run.clone()).map(Into::into),
        cursor: page::encode(&update.cursor),
    }
}
