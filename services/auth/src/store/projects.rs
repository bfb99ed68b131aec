//! Projects.
use ck8s_types::ProjectId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::sql::violated;
use crate::{
    domain::{Project, ProjectContents},
    error::AuthError,
};

struct Row {
    id: Uuid,
    slug: String,
    name: String,
    version: i64,
    created_at: OffsetDateTime,
}

impl From<Row> for Project {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            slug: row.slug,
            name: row.name,
            version: row.version,
            created_at: row.created_at,
        }
    }
}

/// Stores a project.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    slug: &str,
    name: &str,
) -> Result<Project, AuthError> {
    sqlx::query_as!(
        Row,
        "INSERT INTO auth.projects (id, slug, name) VALUES ($1, $2, $3)
         RETURNING id, slug, name, version, created_at",
        ProjectId::new().uuid(),
        slug,
        name,
    )
    .fetch_one(conn)
    .await
    .map(Project::from)
    .map_err(|error| match violated(&error) {
        Some("projects_slug_key") => AuthError::ProjectExists(slug.to_owned()),
        _ => error.into(),
    })
}

/// Returns a project by its id or slug.
pub(crate) async fn get(conn: &mut PgConnection, reference: &str) -> Result<Project, AuthError> {
    sqlx::query_as!(
        Row,
        "SELECT id, slug, name, version, created_at FROM auth.projects WHERE id = $1 OR slug = $2",
        Uuid::parse_str(reference).ok(),
        reference,
    )
    .fetch_optional(conn)
    .await?
    .map(Project::from)
    .ok_or_else(|| AuthError::ProjectNotFound(reference.to_owned()))
}

/// Returns projects in the order of their slugs: all, or those with these ids.
pub(crate) async fn list(
    conn: &mut PgConnection,
    ids: Option<Vec<ProjectId>>,
    after: Option<String>,
    limit: i64,
) -> sqlx::Result<Vec<Project>> {
    let ids = ids.map(|ids| ids.into_iter().map(ProjectId::uuid).collect::<Vec<_>>());
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, slug, name, version, created_at FROM auth.projects
           WHERE ($1::text IS NULL OR slug > $1) AND ($3::uuid[] IS NULL OR id = ANY($3)) ORDER BY slug LIMIT $2"#,
        after,
        limit,
        ids.as_deref(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Project::from).collect())
}

/// Returns a project by its id or slug, locked against other changes until the transaction ends. Rows that refer to it
/// can still be inserted.
pub(crate) async fn get_for_update(
    conn: &mut PgConnection,
    reference: &str,
) -> Result<Project, AuthError> {
    let project = get(conn, reference).await?;
    sqlx::query_as!(
        Row,
        "SELECT id, slug, name, version, created_at FROM auth.projects WHERE id = $1 FOR NO KEY UPDATE",
        project.id.uuid(),
    )
    .fetch_optional(conn)
    .await?
    .map(Project::from)
    .ok_or_else(|| AuthError::ProjectNotFound(reference.to_owned()))
}

/// Renames a project.
pub(crate) async fn rename(
    conn: &mut PgConnection,
    id: ProjectId,
    name: &str,
) -> sqlx::Result<Project> {
    sqlx::query_as!(
        Row,
        "UPDATE auth.projects SET name = $2, version = version + 1, updated_at = now()
         WHERE id = $1 RETURNING id, slug, name, version, created_at",
        id.uuid(),
        name,
    )
    .fetch_one(conn)
    .await
    .map(Project::from)
}

/// Deletes a project that has no repositories, runs or deliveries.
pub(crate) async fn delete(conn: &mut PgConnection, project: &Project) -> Result<(), AuthError> {
    let deleted = sqlx::query!("DELETE FROM auth.projects WHERE id = $1", project.id.uuid())
        .execute(conn)
        .await;
    match deleted {
        Ok(_) => Ok(()),
        Err(error) => match violated(&error).and_then(dependents) {
            Some(what) => Err(AuthError::ProjectInUse {
                slug: project.slug.clone(),
                what,
            }),
            None => Err(error.into()),
        },
    }
}

/// Counts what is deleted with a project: its members, and the live tokens that are limited to it.
pub(crate) async fn count_contents(
    conn: &mut PgConnection,
    id: ProjectId,
) -> sqlx::Result<ProjectContents> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM auth.members WHERE project_id = $1) AS "members!",
               (SELECT count(*) FROM auth.tokens WHERE project_id = $1 AND revoked_at IS NULL
                AND (expires_at IS NULL OR expires_at > now())) AS "tokens!""#,
        id.uuid(),
    )
    .fetch_one(conn)
    .await?;
    Ok(ProjectContents {
        members: row.members,
        tokens: row.tokens,
    })
}

/// Names what still belongs to a project, by the foreign key that was violated.
fn dependents(constraint: &str) -> Option<&'static str> {
    match constraint {
        "repositories_project_id_fkey" => Some("repositories"), // removed ones too: their runs and deliveries refer to them
        "runs_project_id_fkey" => Some("runs"),
        "deliveries_project_id_fkey" => Some("deliveries"),
        _ => None,
    }
}
