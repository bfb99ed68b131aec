//! The dispatcher: woken when a run waits, a slot is free or a worker has room; claims runs in batches and pushes the
//! grants.
use std::{collections::HashMap, sync::Arc, time::Duration};

use ck8s_types::{ProjectId, RunId};

use super::{Engine, claim_plan::Plan, grants};
use crate::{
    domain::{NewLease, Run},
    error::RunsError,
    store::{claim, slots},
};

/// The pause after a failure of the database: it bounds the load on one that is in trouble.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// Leases runs until shutdown.
pub(crate) async fn dispatch_loop(engine: Arc<Engine>) {
    loop {
        tokio::select! {
            () = engine.dispatch.notified() => {}
            () = engine.shutdown.cancelled() => return,
        }
        while let Some(plan) = plan(&engine).await {
            if let Err(error) = dispatch(&engine, plan).await {
                tracing::warn!(%error, "cannot lease; trying again");
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

async fn dispatch(engine: &Engine, plan: Plan) -> Result<(), RunsError> {
    let claim = async {
        let mut conn = engine.connections.dispatcher.acquire().await?;
        claim::claim(&mut conn, &plan.lanes).await
    };
    match claim.await {
        Ok(claim) => {
            engine.scheduler().settle(&plan, &claim);
            leases_made(engine, &claim.leases, HashMap::new()).await
        }
        Err(error) => {
            engine.scheduler().abandon(&plan);
            Err(error.into())
        }
    }
}

/// Plans a claim, unless the service stops. Reads free slots where they are not known.
async fn plan(engine: &Engine) -> Option<Plan> {
    loop {
        if engine.shutdown.is_cancelled() {
            return None;
        }
        let planned = engine.scheduler().plan();
        if planned.plan.is_some() || planned.unknown.is_empty() {
            return planned.plan;
        }
        if let Err(error) = read_free_slots(engine, &planned.unknown).await {
            tracing::warn!(%error, "cannot read free slots; the sweep tries again");
            return None;
        }
    }
}

/// Reads which slots of these projects are free.
pub(crate) async fn read_free_slots(engine: &Engine, projects: &[ProjectId]) -> sqlx::Result<()> {
    {
        let mut scheduler = engine.scheduler();
        projects.iter().for_each(|p| scheduler.slots.begin_load(*p));
    }
    let read = async {
        let mut conn = engine.pool.acquire().await?;
        slots::free(&mut conn, projects, engine.config.default_slots).await
    };
    let read = read.await;
    let mut scheduler = engine.scheduler();
    let read = match read {
        Ok(found) => {
            for slots in found {
                scheduler.slots.finish_load(slots);
            }
            Ok(())
        }
        Err(error) => {
            projects.iter().for_each(|p| scheduler.slots.fail_load(*p));
            Err(error)
        }
    };
    drop(scheduler);
    // Another plan may have passed these projects over meanwhile.
    engine.wake_dispatcher();
    read
}

/// Tells watchers, replicas and workers of leases that were made. `known`: their runs that need not be read.
pub(crate) async fn leases_made(
    engine: &Engine,
    leases: &[NewLease],
    known: HashMap<RunId, Run>,
) -> Result<(), RunsError> {
    if leases.is_empty() {
        return Ok(());
    }
    metrics::counter!("ck8s_leases_total").increment(leases.len() as u64);
    engine.events_written();
    grants::send_grants(engine, leases, known).await
}
