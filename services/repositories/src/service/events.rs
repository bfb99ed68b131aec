//! The flow events of repositories.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::EventKind;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{domain::repository::Repository, error::Error, store::repositories};

/// The actor of what the service does unasked.
pub(super) const SERVICE_ACTOR: &str = "service:repositories";

/// Something that happened to a repository.
pub(super) struct RepositoryEvent<'a> {
    pub kind: EventKind,
    pub actor: &'a str,
    /// What happened, in words.
    pub message: String,
    /// Details, for machines: an object, or null.
    pub data: Value,
}

/// Records a flow event in the transaction of the change.
pub(super) async fn record(
    conn: &mut PgConnection,
    repository: &Repository,
    event: RepositoryEvent<'_>,
) -> Result<(), Error> {
    let mut data = event.data;
    data["repository_id"] = json!(repository.id);
    data["full_name"] = json!(repository.full_name);
    let event = FlowEvent {
        kind: event.kind,
        project_id: Some(repository.project_id),
        run_id: None,
        actor: event.actor.to_owned(),
        message: event.message,
        data: Some(data),
    };
    events::record(conn, &[event]).await?;
    Ok(())
}

/// Gives a changed repository its new version, and reads it again.
pub(super) async fn touch(
    conn: &mut PgConnection,
    repository: &Repository,
) -> Result<Repository, Error> {
    repositories::touch(conn, repository.id).await?;
    repositories::get(conn, repository.id).await
}
