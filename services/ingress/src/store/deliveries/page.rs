//! Pages of deliveries, newest first. Each kind of scope has a statement of its own, so that each has the plan of its
//! index.
use ck8s_rpc::project_access::Scope;
use ck8s_types::{DeliveryId, ProjectId, RepositoryId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::DeliveryRow;
use crate::domain::delivery::{Delivery, DeliveryFilter, DeliveryState};

/// The conditions that every page has, as SQL takes them.
#[derive(Clone, Copy)]
struct Conditions {
    before: Uuid,
    repository: Option<Uuid>,
    state: Option<&'static str>,
    limit: i64,
}

/// Reads a page of deliveries before an id, newest first; without an id, from the newest on.
pub(crate) async fn page(
    conn: &mut PgConnection,
    filter: DeliveryFilter,
    before: Option<DeliveryId>,
    limit: i64,
) -> sqlx::Result<Vec<Delivery>> {
    let conditions = Conditions {
        before: before.map_or(Uuid::max(), DeliveryId::uuid),
        repository: filter.repository_id.map(RepositoryId::uuid),
        state: filter.state.map(DeliveryState::as_str),
        limit,
    };
    let rows = match &filter.scope {
        Scope::Projects(projects) => match projects.as_slice() {
            [project] => of_project(conn, *project, conditions).await?,
            projects => of_projects(conn, projects, conditions).await?,
        },
        Scope::EveryProject => of_all(conn, false, conditions).await?,
        Scope::All => of_all(conn, true, conditions).await?,
    };
    rows.into_iter().map(Delivery::try_from).collect()
}

async fn of_project(
    conn: &mut PgConnection,
    project: ProjectId,
    conditions: Conditions,
) -> sqlx::Result<Vec<DeliveryRow>> {
    sqlx::query_as!(
        DeliveryRow,
        r#"SELECT id AS "id!", provider AS "provider!", delivery_key AS "delivery_key!", event AS "event!", action AS "action!",
            sender AS "sender!", project_id, repository_id, state AS "state!", reason AS "reason!", run_id, more_run_ids, received_at AS "received_at!",
            handled_at, size_bytes AS "size_bytes!"
             FROM ingress.inbox
             WHERE project_id = $1 AND id < $2 AND ($3::uuid IS NULL OR repository_id = $3) AND ($4::text IS NULL OR state = $4)
             ORDER BY id DESC LIMIT $5"#,
        project.uuid(),
        conditions.before,
        conditions.repository,
        conditions.state,
        conditions.limit,
    )
    .fetch_all(conn)
    .await
}

/// Reads the newest deliveries of each project, and of these the newest.
async fn of_projects(
    conn: &mut PgConnection,
    projects: &[ProjectId],
    conditions: Conditions,
) -> sqlx::Result<Vec<DeliveryRow>> {
    let projects: Vec<Uuid> = projects.iter().map(|p| p.uuid()).collect();
    sqlx::query_as!(
        DeliveryRow,
        r#"SELECT id AS "id!", provider AS "provider!", delivery_key AS "delivery_key!", event AS "event!", action AS "action!",
            sender AS "sender!", project_id, repository_id, state AS "state!", reason AS "reason!", run_id, more_run_ids, received_at AS "received_at!",
            handled_at, size_bytes AS "size_bytes!"
             FROM unnest($1::uuid[]) AS p (of) CROSS JOIN LATERAL (
                SELECT * FROM ingress.inbox
                WHERE project_id = p.of AND id < $2 AND ($3::uuid IS NULL OR repository_id = $3) AND ($4::text IS NULL OR state = $4)
                ORDER BY id DESC LIMIT $5
             ) AS d
             ORDER BY id DESC LIMIT $5"#,
        &projects,
        conditions.before,
        conditions.repository,
        conditions.state,
        conditions.limit,
    )
    .fetch_all(conn)
    .await
}

async fn of_all(
    conn: &mut PgConnection,
    include_without_project: bool,
    conditions: Conditions,
) -> sqlx::Result<Vec<DeliveryRow>> {
    sqlx::query_as!(
        DeliveryRow,
        r#"SELECT id AS "id!", provider AS "provider!", delivery_key AS "delivery_key!", event AS "event!", action AS "action!",
            sender AS "sender!", project_id, repository_id, state AS "state!", reason AS "reason!", run_id, more_run_ids, received_at AS "received_at!",
            handled_at, size_bytes AS "size_bytes!"
             FROM ingress.inbox
             WHERE id < $1 AND ($2::uuid IS NULL OR repository_id = $2) AND ($3::text IS NULL OR state = $3)
               AND ($5 OR project_id IS NOT NULL)
             ORDER BY id DESC LIMIT $4"#,
        conditions.before,
        conditions.repository,
        conditions.state,
        conditions.limit,
        include_without_project,
    )
    .fetch_all(conn)
    .await
}
