//! ListFlowEvents.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{convert::id, page};
use tonic::{Request, Status};

use super::request::requester;
use crate::{convert::event_to_pb, domain::EventCursor, engine::Engine, service};

pub(super) async fn list_flow_events(
    engine: &Engine,
    request: Request<pb::ListFlowEventsRequest>,
) -> Result<pb::ListFlowEventsResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let run_id = id("run_id", &request.run_id)?;
    let size = page::size(request.page_size)?;
    let after = page::decode("page_token", &request.page_token)?.unwrap_or(EventCursor::START);
    let events = service::list_flow_events(engine, &requester, run_id, after, size).await?;
    let last = events.last().map(|event| page::encode(&event.cursor));
    Ok(pb::ListFlowEventsResponse {
        next_page_token: last.unwrap_or_default(),
        events: events
            .items
            .into_iter()
            .map(|event| event_to_pb(event, &engine.clusters))
            .collect(),
    })
}
