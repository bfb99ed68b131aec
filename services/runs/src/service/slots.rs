//! The slots of projects: listing them, and setting how many a project has.
use ck8s_db::{
    events::{self, FlowEvent},
    request_ids::{Claim, RequestKey},
};
use ck8s_types::{EventKind, ProjectId, Slot};

use super::Requester;
use crate::{
    domain::{Page, SlotStatus},
    engine::Engine,
    error::RunsError,
    store::{request_ids::REQUESTS, slots},
};

/// Lists the slots of one project, or of all that the requester may see, after one of them.
pub(crate) async fn list_slots(
    engine: &Engine,
    requester: &Requester,
    project: Option<&str>,
    after: Option<(ProjectId, Slot)>,
    size: i64,
) -> Result<Page<SlotStatus>, RunsError> {
    let projects = match project {
        None => match requester.access.scope().projects() {
            None => engine.peers.all_projects().await?,
            Some(projects) => projects,
        },
        Some(name) => vec![requester.project(&engine.peers, name).await?.0],
    };
    let mut conn = engine.pool.acquire().await?;
    let default_slots = engine.config.default_slots;
    let found = slots::list(&mut conn, &projects, default_slots, after, size + 1).await?;
    Ok(Page::of(found, size))
}

/// Sets how many slots a project has.
pub(crate) async fn set_slots(
    engine: &Engine,
    requester: &Requester,
    project: &str,
    count: i32,
    request: Option<RequestKey>,
) -> Result<(), RunsError> {
    let (project, slug) = requester.project(&engine.peers, project).await?;
    let event = FlowEvent {
        kind: EventKind::SlotsSet,
        project_id: Some(project),
        run_id: None,
        actor: requester.actor(),
        message: format!("project {slug} has {count} slots"),
        data: Some(serde_json::json!({ "slots": count })),
    };
    let mut tx = engine.pool.begin().await?;
    if let Claim::Answered(_) = REQUESTS.claim(&mut tx, request.as_ref()).await? {
        return Ok(());
    }
    slots::set(&mut tx, project, count).await?;
    events::record(&mut tx, &[event]).await?;
    tx.commit().await?;
    engine.slots_changed(project);
    Ok(())
}
