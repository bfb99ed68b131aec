//! The dispatcher: woken when a run waits, a slot is free or a worker has room; claims in batches and pushes the grants.
use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{Engine, Note, board::Plan, grants};
use crate::{
    RunsError,
    store::claim::{self, Leased},
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
        while let Some(plan) = engine.plan() {
            if let Err(error) = dispatch(&engine, plan).await {
                tracing::warn!(%error, "cannot lease; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn dispatch(engine: &Engine, plan: Plan) -> Result<(), RunsError> {
    let claimed = async {
        claim::claim(
            &mut *engine.pool.acquire().await?,
            &plan.wants,
            engine.config.default_slots,
        )
        .await
    };
    match claimed.await {
        Ok(leased) => engine.leased(&plan, &leased, HashMap::new()).await,
        Err(error) => {
            engine.abandon(&plan);
            Err(error.into())
        }
    }
}

impl Engine {
    /// Plans a claim, unless the service stops.
    pub fn plan(&self) -> Option<Plan> {
        if self.shutdown.is_cancelled() {
            return None;
        }
        self.board().plan()
    }

    /// Gives a plan's reservations back; its lanes stay open.
    pub fn abandon(&self, plan: &Plan) {
        let mut board = self.board();
        for want in &plan.wants {
            board.fair.opened(want.lane, want.from);
        }
        board.settle(plan, &[]);
    }

    /// A planned claim is committed: its leases are held and granted.
    pub async fn leased(
        &self,
        plan: &Plan,
        leased: &[Leased],
        known: HashMap<ck8s_types::RunId, crate::domain::Run>,
    ) -> Result<(), RunsError> {
        self.board().settle(plan, leased);
        if leased.is_empty() {
            return Ok(());
        }
        metrics::counter!("ck8s_leases_total").increment(leased.len() as u64);
        self.feed.wake();
        self.note(Note::Events);
        grants::deliver(self, leased, known).await
    }
}
