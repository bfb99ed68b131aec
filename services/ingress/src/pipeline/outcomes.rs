//! Writes the outcomes of deliveries, with a flow event for each that failed.
use std::collections::HashSet;

use ck8s_db::events::{self, FlowEvent};
use ck8s_types::{DeliveryId, EventKind, ProjectId};
use sqlx::{Connection, PgPool};

use crate::{
    domain::delivery::{DeliveryOutcome, DeliveryState},
    store::waiting,
};

/// The project of each delivery.
pub(super) type Projects = Vec<(DeliveryId, ProjectId)>;

/// Writes the outcomes of deliveries that wait.
pub(super) async fn write(
    pool: &PgPool,
    outcomes: &[DeliveryOutcome],
    projects: &Projects,
) -> sqlx::Result<()> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let mut conn = pool.acquire().await?;
    if outcomes.iter().all(|o| o.state != DeliveryState::Failed) {
        waiting::settle(&mut conn, outcomes).await?;
        return Ok(());
    }
    let mut tx = conn.begin().await?;
    let settled = waiting::settle(&mut tx, outcomes).await?;
    let settled: HashSet<DeliveryId> = settled.into_iter().collect();
    let failed = outcomes
        .iter()
        .filter(|o| o.state == DeliveryState::Failed && settled.contains(&o.id));
    let failures: Vec<FlowEvent> = failed.map(|outcome| failure(outcome, projects)).collect();
    events::record(&mut tx, &failures).await?;
    tx.commit().await
}

fn failure(outcome: &DeliveryOutcome, projects: &Projects) -> FlowEvent {
    let project = projects.iter().find(|(id, _)| *id == outcome.id);
    FlowEvent {
        kind: EventKind::DeliveryFailed,
        project_id: project.map(|(_, project)| *project),
        run_id: None,
        actor: "service:ingress".to_owned(),
        message: outcome.reason.clone(),
        data: Some(serde_json::json!({"delivery_id": outcome.id.to_string()})),
    }
}
