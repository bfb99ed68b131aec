//! Reads single deliveries; the submodules insert deliveries and read pages of them.
mod first_trigger;
mod insert;
mod page;

use ck8s_types::{DeliveryId, ProjectId, RepositoryId, RunId, UnknownWord};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::delivery::Delivery;

pub(crate) use self::{first_trigger::decide_first_triggers, insert::insert, page::page};

/// A row of the view `ingress.inbox`.
struct DeliveryRow {
    id: Uuid,
    provider: String,
    delivery_key: String,
    event: String,
    action: String,
    sender: String,
    project_id: Option<Uuid>,
    repository_id: Option<Uuid>,
    state: String,
    reason: String,
    run_id: Option<Uuid>,
    more_run_ids: Option<Vec<Uuid>>,
    received_at: OffsetDateTime,
    handled_at: Option<OffsetDateTime>,
    size_bytes: i32,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = sqlx::Error;

    fn try_from(row: DeliveryRow) -> sqlx::Result<Self> {
        let (first_run, more_runs) = (row.run_id, row.more_run_ids.unwrap_or_default());
        Ok(Self {
            id: row.id.into(),
            provider: row.provider,
            key: row.delivery_key,
            event: row.event,
            action: row.action,
            sender: row.sender,
            project_id: row.project_id.map(ProjectId::from),
            repository_id: row.repository_id.map(RepositoryId::from),
            state: row
                .state
                .parse()
                .map_err(|e: UnknownWord| sqlx::Error::Decode(e.into()))?,
            reason: row.reason,
            run_ids: first_run
                .into_iter()
                .chain(more_runs)
                .map(RunId::from)
                .collect(),
            received_at: row.received_at,
            handled_at: row.handled_at,
            size_bytes: row.size_bytes.into(),
        })
    }
}

/// Reads one delivery.
pub(crate) async fn get(conn: &mut PgConnection, id: DeliveryId) -> sqlx::Result<Option<Delivery>> {
    sqlx::query_as!(
        DeliveryRow,
        r#"SELECT id AS "id!", provider AS "provider!", delivery_key AS "delivery_key!", event AS "event!", action AS "action!",
            sender AS "sender!", project_id, repository_id, state AS "state!", reason AS "reason!", run_id, more_run_ids, received_at AS "received_at!",
            handled_at, size_bytes AS "size_bytes!"
         FROM ingress.inbox WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?
    .map(Delivery::try_from)
    .transpose()
}

/// Reads the compressed body of a delivery.
pub(crate) async fn payload(
    conn: &mut PgConnection,
    id: DeliveryId,
) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "SELECT payload FROM ingress.deliveries WHERE id = $1",
        id.uuid()
    )
    .fetch_optional(conn)
    .await
}

/// Returns the deliveries that have this id at the provider, oldest first, at most `limit`: one for each repository
/// whose webhook used it. Each is our id, and its project.
pub(crate) async fn with_key(
    conn: &mut PgConnection,
    key: &str,
    limit: i64,
) -> sqlx::Result<Vec<(DeliveryId, Option<ProjectId>)>> {
    let rows = sqlx::query!(
        r#"SELECT d.id AS "id!", d.project_id
         FROM ingress.delivery_keys AS k JOIN ingress.deliveries AS d ON d.id = k.delivery_id
         WHERE k.provider = 'github' AND k.delivery_key = $1
         ORDER BY k.delivery_id LIMIT $2"#,
        key,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let row = rows.into_iter();
    Ok(row
        .map(|row| (row.id.into(), row.project_id.map(ProjectId::from)))
        .collect())
}
