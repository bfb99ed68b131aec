//! WatchRuns.
use std::sync::Arc;

use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{convert::optional_id, page};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{Request, Status};

use super::request::{Streaming, requester};
use crate::{
    convert::event_to_pb,
    domain::{Clusters, CursorKey},
    engine::Engine,
    error::RunsError,
    service::{self, WatchRequest, WatchUpdate},
};

pub(super) async fn watch_runs(
    engine: &Arc<Engine>,
    request: Request<pb::WatchRunsRequest>,
) -> Result<Streaming<pb::WatchRunsResponse>, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let cursor: Option<CursorKey> = page::decode("cursor", &request.cursor)?;
    let from = cursor.map(|key| engine.clusters.place(&key).ok_or(RunsError::CursorForeign));
    let watch = WatchRequest {
        project: optional_id("project_id", &request.project_id)?,
        run: optional_id("run_id", &request.run_id)?,
        from: from.transpose()?,
    };
    let updates = service::watch_runs(engine, &requester, watch).await?;
    let clusters = engine.clusters.clone();
    let responses = ReceiverStream::new(updates).map(move |update| match update {
        Ok(update) => Ok(response(&update, &clusters)),
        Err(error) => Err(error.into()),
    });
    Ok(Box::pin(responses))
}

fn response(update: &WatchUpdate, clusters: &Clusters) -> pb::WatchRunsResponse {
    let item = update.item.as_deref();
    pb::WatchRunsResponse {
        event: item.map(|item| event_to_pb(item.event.clone(), clusters)),
        run: item.and_then(|item| item.run.clone()).map(Into::into),
        cursor: page::encode(&clusters.key(update.cursor)),
    }
}
