//! ListSlots, SetSlots, ListWorkers, DrainWorker.
use ck8s_db::events::{NewEvent, record};
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{
    access::{self, Access},
    caller, page, status,
};
use ck8s_types::ProjectId;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::{
    RunsError,
    engine::Engine,
    store::{slots, workers},
};

pub async fn list_slots(
    engine: &Engine,
    request: &Request<pb::ListSlotsRequest>,
) -> Result<pb::ListSlotsResponse, Status> {
    let asked = request.get_ref();
    let size = page::size(asked.page_size)?;
    let after = page::decode("page_token", &asked.page_token)?.unwrap_or((Uuid::nil(), 0));
    let access = access::of(request);
    let projects = match asked.project.as_str() {
        "" => match access.scope().projects() {
            None => engine.peers.all_projects().await?,
            Some(projects) => projects,
        },
        name => vec![project(engine, &access, name).await?.0],
    };
    let projects: Vec<Uuid> = projects.into_iter().map(ProjectId::uuid).collect();
    let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
    let mut found = slots::list(
        &mut conn,
        &projects,
        engine.config.default_slots,
        after,
        size + 1,
    )
    .await
    .map_err(RunsError::from)?;
    let more = found.len() as i64 > size;
    found.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let last = found
        .last()
        .filter(|_| more)
        .map(|s| (s.project.uuid(), s.number));
    Ok(pb::ListSlotsResponse {
        next_page_token: last.map(|key| page::encode(&key)).unwrap_or_default(),
        slots: found.into_iter().map(Into::into).collect(),
    })
}

pub async fn set_slots(
    engine: &Engine,
    request: &Request<pb::SetSlotsRequest>,
) -> Result<pb::SetSlotsResponse, Status> {
    let asked = request.get_ref();
    if !(0..=10_000).contains(&asked.slots) {
        return Err(status::invalid("slots", "must be 0 to 10,000"));
    }
    // Setting a number twice sets it once: the request id has nothing to guard here, but a wrong one is still refused.
    let _: Option<ck8s_types::RequestId> =
        ck8s_rpc::convert::optional_id("request_id", &asked.request_id)?;
    let (project, slug) = project(engine, &access::of(request), &asked.project).await?;
    let event = NewEvent {
        kind: "slots.set",
        project_id: Some(project),
        run_id: None,
        actor: caller::caller(request).actor(),
        message: format!("project {slug} has {} slots", asked.slots),
        data: Some(serde_json::json!({ "slots": asked.slots })),
    };
    let stored = async {
        let mut tx = engine.pool.begin().await?;
        slots::set(&mut tx, project, asked.slots).await?;
        record(&mut tx, &[event]).await?;
        tx.commit().await
    };
    stored.await.map_err(RunsError::from)?;
    engine.slots_changed(project);
    Ok(pb::SetSlotsResponse { slots: asked.slots })
}

/// A project that a request names, by id or slug: its id and slug. What the caller may not see, is not there.
async fn project(
    engine: &Engine,
    access: &Access,
    name: &str,
) -> Result<(ProjectId, String), Status> {
    let found = engine.peers.project(name).await?;
    access.project(found.0, || status::not_found("project", name))?;
    Ok(found)
}

pub async fn list_workers(
    engine: &Engine,
    request: &Request<pb::ListWorkersRequest>,
) -> Result<pb::ListWorkersResponse, Status> {
    let asked = request.get_ref();
    let size = page::size(asked.page_size)?;
    let after: String = page::decode("page_token", &asked.page_token)?.unwrap_or_default();
    let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
    let mut found = workers::list(&mut conn, &after, size + 1)
        .await
        .map_err(RunsError::from)?;
    let more = found.len() as i64 > size;
    found.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let last = found.last().filter(|_| more).map(|w| w.id.clone());
    Ok(pb::ListWorkersResponse {
        next_page_token: last.map(|id| page::encode(&id)).unwrap_or_default(),
        workers: found.into_iter().map(Into::into).collect(),
    })
}

pub async fn drain_worker(
    engine: &Engine,
    request: &Request<pb::DrainWorkerRequest>,
) -> Result<pb::DrainWorkerResponse, Status> {
    let asked = request.get_ref();
    let _: Option<ck8s_types::RequestId> =
        ck8s_rpc::convert::optional_id("request_id", &asked.request_id)?;
    let draining = !asked.undo;
    let event = NewEvent {
        kind: if draining {
            "worker.draining"
        } else {
            "worker.undrained"
        },
        project_id: None,
        run_id: None,
        actor: caller::caller(request).actor(),
        message: format!("worker {}", asked.worker_id.replace('\0', "")),
        data: None,
    };
    let stored = async {
        let mut tx = engine.pool.begin().await?;
        if !workers::set_draining(&mut tx, &asked.worker_id, draining).await? {
            return Err(RunsError::NoWorker(asked.worker_id.clone()));
        }
        record(&mut tx, &[event]).await?;
        tx.commit().await?;
        Ok(())
    };
    stored.await?;
    engine.set_draining(&asked.worker_id, draining);
    let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
    let worker = workers::get(&mut conn, &asked.worker_id)
        .await
        .map_err(RunsError::from)?;
    Ok(pb::DrainWorkerResponse {
        worker: worker.map(Into::into),
    })
}
