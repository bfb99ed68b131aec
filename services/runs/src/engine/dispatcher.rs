//! The dispatcher: woken when a run waits, a slot is free or a worker has room; claims in batches and pushes the grants.
use std::{collections::HashMap, sync::Arc, time::Duration};

use ck8s_types::{ProjectId, RunId};

use super::{Engine, Note, grants, plan::Plan};
use crate::{
    RunsError,
    domain::Run,
    store::{
        claim::{self, Leased},
        slots,
    },
};

/// The pause after a failure of the database: it bounds the load on one that is in trouble.
const PAUSE: Duration = Duration::from_millis(250);

/// Runs until shutdown.
pub async fn run(engine: Arc<Engine>) {
    loop {
        tokio::select! {
            () = engine.dispatch.notified() => {}
            () = engine.shutdown.cancelled() => return,
        }
        while let Some(plan) = engine.plan().await {
            if let Err(error) = dispatch(&engine, plan).await {
                tracing::warn!(%error, "cannot lease; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn dispatch(engine: &Engine, plan: Plan) -> Result<(), RunsError> {
    let claimed = async {
        let mut conn = engine.writers.dispatcher.acquire().await?;
        claim::claim(&mut conn, &plan.wants).await
    };
    match claimed.await {
        Ok(claimed) => {
            engine.board().settle(&plan, &claimed);
            engine.granted(&claimed.leased, HashMap::new()).await
        }
        Err(error) => {
            engine.board().abandon(&plan);
            Err(error.into())
        }
    }
}

impl Engine {
    /// Plans a claim, unless the service stops. Reads free slots where they are not known.
    pub async fn plan(&self) -> Option<Plan> {
        loop {
            if self.shutdown.is_cancelled() {
                return None;
            }
            let planned = self.board().plan();
            if planned.plan.is_some() || planned.unknown.is_empty() {
                return planned.plan;
            }
            if let Err(error) = self.read_slots(&planned.unknown).await {
                tracing::warn!(%error, "cannot read free slots; the sweep tries again");
                return None;
            }
        }
    }

    pub async fn read_slots(&self, projects: &[ProjectId]) -> sqlx::Result<()> {
        {
            let mut board = self.board();
            projects.iter().for_each(|p| board.slots.begin(*p));
        }
        let ids: Vec<uuid::Uuid> = projects.iter().map(|p| p.uuid()).collect();
        let read = async {
            let mut conn = self.pool.acquire().await?;
            slots::free(&mut conn, &ids, self.config.default_slots).await
        };
        let read = read.await;
        let mut board = self.board();
        match &read {
            Ok(found) => found
                .iter()
                .for_each(|(p, count, free)| board.slots.learn(*p, *count, free.iter().copied())),
            Err(_) => projects.iter().for_each(|p| board.slots.failed(*p)),
        }
        drop(board);
        // Another plan may have passed these projects over meanwhile.
        self.wake_dispatcher();
        read.map(drop)
    }

    /// Leases were made: tells everybody. `known`: runs that need not be read.
    pub async fn granted(
        &self,
        leased: &[Leased],
        known: HashMap<RunId, Run>,
    ) -> Result<(), RunsError> {
        if leased.is_empty() {
            return Ok(());
        }
        metrics::counter!("ck8s_leases_total").increment(leased.len() as u64);
        self.feed.wake();
        self.note(Note::Events);
        grants::deliver(self, leased, known).await
    }
}
