//! The audit trail: flow events, written in the transaction of the change that they tell of.
use ck8s_types::{EventKind, ProjectId, RunId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A flow event to be recorded. Never holds a secret.
#[derive(Clone, Debug)]
pub struct FlowEvent {
    /// What happened.
    pub kind: EventKind,
    /// The project that it belongs to, if any.
    pub project_id: Option<ProjectId>,
    /// The run that it belongs to, if any.
    pub run_id: Option<RunId>,
    /// Who did it, as `Caller::actor()` says it.
    pub actor: String,
    /// What happened, in words.
    pub message: String,
    /// Details, for machines.
    pub data: Option<serde_json::Value>,
}

/// Records events, in their order, with one statement. Call it in the transaction of the change.
///
/// # Errors
/// As any insert.
pub async fn record(conn: &mut PgConnection, events: &[FlowEvent]) -> sqlx::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let mut kinds = Vec::with_capacity(events.len());
    let mut projects: Vec<Option<Uuid>> = Vec::with_capacity(events.len());
    let mut runs: Vec<Option<Uuid>> = Vec::with_capacity(events.len());
    let mut actors = Vec::with_capacity(events.len());
    let mut messages = Vec::with_capacity(events.len());
    let mut data: Vec<Option<String>> = Vec::with_capacity(events.len());
    for event in events {
        kinds.push(event.kind.as_str());
        projects.push(event.project_id.map(ProjectId::uuid));
        runs.push(event.run_id.map(RunId::uuid));
        actors.push(event.actor.as_str());
        messages.push(event.message.as_str());
        data.push(event.data.as_ref().map(serde_json::Value::to_string));
    }
    sqlx::query!(
        "INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
         SELECT kind, project_id, run_id, actor, message, data::json
         FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
              AS e (kind, project_id, run_id, actor, message, data, nr)
         ORDER BY nr",
        &kinds as &[&str],
        &projects as &[Option<Uuid>],
        &runs as &[Option<Uuid>],
        &actors as &[&str],
        &messages as &[&str],
        &data as &[Option<String>],
    )
    .execute(conn)
    .await?;
    Ok(())
}
