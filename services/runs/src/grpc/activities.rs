//! ListActivities, WatchActivities, GetPrompt.
use std::sync::Arc;

use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{convert::id, page};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{Request, Status};

use super::request::{Streaming, requester};
use crate::{domain::ActivityPlace, engine::Engine, service};

pub(super) async fn list_activities(
    engine: &Engine,
    request: Request<pb::ListActivitiesRequest>,
) -> Result<pb::ListActivitiesResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let run = id("run_id", &request.run_id)?;
    let size = page::size(request.page_size)?;
    let after = page::decode("page_token", &request.page_token)?;
    let after: ActivityPlace = after.unwrap_or_default();
    let page = service::list_activities(engine, &requester, run, after, size).await?;
    let (items, has_more) = (page.items, page.has_more);
    let places: Vec<ActivityPlace> = items.iter().map(|activity| activity.place).collect();
    let mut activities: Vec<pb::Activity> = items.into_iter().map(Into::into).collect();
    let has_more = page::shorten(&mut activities) || has_more;
    let last = places.get(activities.len().wrapping_sub(1));
    Ok(pb::ListActivitiesResponse {
        next_page_token: last
            .filter(|_| has_more)
            .map(page::encode)
            .unwrap_or_default(),
        activities,
    })
}

pub(super) async fn get_prompt(
    engine: &Engine,
    request: Request<pb::GetPromptRequest>,
) -> Result<pb::GetPromptResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let run = id("run_id", &request.run_id)?;
    let attempt = (request.attempt != 0).then_some(request.attempt);
    let prompt = service::get_prompt(engine, &requester, run, attempt).await?;
    Ok(pb::GetPromptResponse { prompt })
}

pub(super) async fn watch_activities(
    engine: &Arc<Engine>,
    request: Request<pb::WatchActivitiesRequest>,
) -> Result<Streaming<pb::WatchActivitiesResponse>, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let run = id("run_id", &request.run_id)?;
    let after = ActivityPlace {
        attempt: request.after_attempt,
        sequence: request.after_sequence,
    };
    let updates = service::watch_activities(engine, &requester, run, after).await?;
    let responses = ReceiverStream::new(updates).map(|update| match update {
        Ok(update) => Ok(pb::WatchActivitiesResponse {
            activities: update.activities.into_iter().map(Into::into).collect(),
            report: update.report.map(Into::into),
        }),
        Err(error) => Err(error.into()),
    });
    Ok(Box::pin(responses))
}
