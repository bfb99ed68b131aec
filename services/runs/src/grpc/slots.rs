//! ListSlots, SetSlots, ReleaseSlot.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{page, status};
use ck8s_types::Slot;
use tonic::{Request, Status};

use super::request::{optional, request_key, requester};
use crate::{
    engine::Engine,
    service::{self, ReleaseRequest},
};

/// Slots that a project may have: it bounds the rows of a list of slots.
const MAX_SLOTS: i32 = 10_000;

pub(super) async fn list_slots(
    engine: &Engine,
    request: Request<pb::ListSlotsRequest>,
) -> Result<pb::ListSlotsResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let size = page::size(request.page_size)?;
    let after = page::decode("page_token", &request.page_token)?;
    let project = optional(&request.project);
    let slots = service::list_slots(engine, &requester, project, after, size).await?;
    let last = slots.last().map(|s| page::encode(&(s.project, s.slot)));
    Ok(pb::ListSlotsResponse {
        next_page_token: last.unwrap_or_default(),
        slots: slots.items.into_iter().map(Into::into).collect(),
    })
}

pub(super) async fn set_slots(
    engine: &Engine,
    request: Request<pb::SetSlotsRequest>,
) -> Result<pb::SetSlotsResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let slots = request.slots;
    if !(0..=MAX_SLOTS).contains(&slots) {
        return Err(status::invalid("slots", "must be 0 to 10,000"));
    }
    let key = request_key("SetSlots", &request.request_id, &request)?;
    service::set_slots(engine, &requester, &request.project, slots, key).await?;
    Ok(pb::SetSlotsResponse { slots })
}

pub(super) async fn release_slot(
    engine: &Engine,
    request: Request<pb::ReleaseSlotRequest>,
) -> Result<pb::ReleaseSlotResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    if request.number < 1 {
        return Err(status::invalid("number", "slots count from 1"));
    }
    let key = request_key("ReleaseSlot", &request.request_id, &request)?;
    let release = ReleaseRequest {
        project: &request.project,
        slot: Slot::from(request.number),
        force: request.force,
    };
    let run = service::release_slot(engine, &requester, release, key).await?;
    Ok(pb::ReleaseSlotResponse {
        run: Some(run.into()),
    })
}
