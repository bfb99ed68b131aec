//! The rows of repositories: found by id, name or external id, read in one way, changed.
use ck8s_db::notify_channels;
use ck8s_types::{ProjectId, RepositoryId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::repository::{
        BranchSource, CredentialKind, DefaultBranch, Hook, NewRepository, PageQuery, ProviderState,
        Repository, RepositoryChange, ServicesFile,
    },
    error::Error,
};

/// Begins a transaction whose statements all see the same data.
pub(crate) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// The row of a repository that was not removed.
struct RepositoryRow {
    id: Uuid,
    project_id: Uuid,
    external_id: String,
    full_name: String,
    default_branch: String,
    follows_default_branch: bool,
    services_text: String,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    secret_names: Vec<String>,
    previous_secret_expires_at: Option<OffsetDateTime>,
    credential: Option<String>,
    services_path: String,
    services_etag: Option<String>,
    services_problem: Option<String>,
    services_commit: Option<String>,
    services_checked_at: Option<OffsetDateTime>,
    hook_id: Option<String>,
    hook_problem: Option<String>,
    hook_seen_at: Option<OffsetDateTime>,
    actor_id: Option<String>,
    actor_login: Option<String>,
    waits_until: Option<OffsetDateTime>,
    recovered_until: Option<OffsetDateTime>,
}

impl From<RepositoryRow> for Repository {
    fn from(row: RepositoryRow) -> Self {
        Self {
            id: row.id.into(),
            project_id: row.project_id.into(),
            external_id: row.external_id,
            full_name: row.full_name,
            default_branch: DefaultBranch {
                name: row.default_branch,
                source: if row.follows_default_branch {
                    BranchSource::Provider
                } else {
                    BranchSource::Person
                },
            },
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            secret_names: row.secret_names,
            previous_secret_expires_at: row.previous_secret_expires_at,
            services_file: ServicesFile {
                path: row.services_path,
                text: row.services_text,
                etag: row.services_etag,
                commit: row.services_commit,
                problem: row.services_problem,
                checked_at: row.services_checked_at,
            },
            hook: Hook {
                id: row.hook_id,
                problem: row.hook_problem,
                seen_at: row.hook_seen_at,
                recovered_until: row.recovered_until,
            },
            provider: ProviderState {
                // The CHECK of the table knows no third kind.
                credential: row.credential.map(|kind| match kind.as_str() {
                    "app" => CredentialKind::App,
                    _ => CredentialKind::Token,
                }),
                actor_id: row.actor_id,
                actor_login: row.actor_login,
                limited_until: row.waits_until,
            },
        }
    }
}

/// Reads repositories by id, in no order; those that were removed are missing.
pub(crate) async fn load(
    conn: &mut PgConnection,
    ids: &[RepositoryId],
) -> sqlx::Result<Vec<Repository>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        RepositoryRow,
        r#"SELECT r.id, r.project_id, r.external_id, r.full_name, r.default_branch, r.follows_default_branch, r.services_text, r.version,
                  r.created_at, r.updated_at,
                  ARRAY(SELECT s.name FROM repositories.secrets s
                        WHERE s.repository_id = r.id ORDER BY s.name) AS "secret_names!",
                  (SELECT max(w.expires_at) FROM repositories.webhook_secrets w
                   WHERE w.repository_id = r.id AND w.expires_at > now()) AS previous_secret_expires_at,
                  c.kind AS "credential?", r.services_path, r.services_etag, r.services_problem, r.services_commit,
                  r.services_checked_at, r.hook_id, r.hook_problem, r.hook_seen_at, r.actor_id, r.actor_login, r.waits_until, r.recovered_until
           FROM repositories.repositories r LEFT JOIN repositories.credentials c ON c.repository_id = r.id
           WHERE r.id = ANY($1) AND r.removed_at IS NULL"#,
        &ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Repository::from).collect())
}

/// Reads a repository by its id.
pub(crate) async fn get(conn: &mut PgConnection, id: RepositoryId) -> Result<Repository, Error> {
    let repository = load(conn, &[id]).await?.pop();
    repository.ok_or_else(|| Error::NotFound(id.to_string()))
}

/// Returns the id of a repository by its id or owner/name.
pub(crate) async fn find(conn: &mut PgConnection, name: &str) -> Result<RepositoryId, Error> {
    let id = Uuid::try_parse(name).ok();
    let found = sqlx::query_scalar!(
        "SELECT id FROM repositories.repositories
         WHERE CASE WHEN $1::uuid IS NULL THEN provider = 'github' AND lower(full_name) = lower($2) ELSE id = $1 END
           AND removed_at IS NULL",
        id,
        name
    )
    .fetch_optional(conn)
    .await?;
    found
        .map(RepositoryId::from)
        .ok_or_else(|| Error::NotFound(name.to_owned()))
}

/// Returns the project of a repository by its id or owner/name, also of one that was removed; none: there never was
/// one.
pub(crate) async fn project_of(
    conn: &mut PgConnection,
    name: &str,
) -> sqlx::Result<Option<ProjectId>> {
    let id = Uuid::try_parse(name).ok();
    let found = sqlx::query_scalar!(
        "SELECT project_id FROM repositories.repositories
         WHERE CASE WHEN $1::uuid IS NULL THEN provider = 'github' AND lower(full_name) = lower($2) ELSE id = $1 END
         ORDER BY removed_at DESC NULLS FIRST LIMIT 1",
        id,
        name
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(ProjectId::from))
}

/// Reads a repository by its id or owner/name, and locks it until the transaction ends.
pub(crate) async fn find_locked(conn: &mut PgConnection, name: &str) -> Result<Repository, Error> {
    let id = find(conn, name).await?;
    let locked = sqlx::query_scalar!(
        "SELECT id FROM repositories.repositories WHERE id = $1 AND removed_at IS NULL FOR NO KEY UPDATE",
        id.uuid()
    )
    .fetch_optional(&mut *conn)
    .await?;
    match locked {
        Some(id) => get(conn, id.into()).await,
        None => Err(Error::NotFound(name.to_owned())),
    }
}

/// Returns the ids of repositories by the provider's ids.
pub(crate) async fn by_external_ids(
    conn: &mut PgConnection,
    external_ids: &[String],
) -> sqlx::Result<Vec<RepositoryId>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM repositories.repositories
         WHERE provider = 'github' AND external_id = ANY($1) AND removed_at IS NULL",
        external_ids
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(RepositoryId::from).collect())
}

/// Returns a page of repositories by name.
pub(crate) async fn list(
    conn: &mut PgConnection,
    query: &PageQuery,
) -> sqlx::Result<Vec<Repository>> {
    let projects: Option<Vec<Uuid>> = query
        .projects
        .as_ref()
        .map(|projects| projects.iter().map(|id| id.uuid()).collect());
    let after = query.after.as_ref();
    let ids = sqlx::query_scalar!(
        "SELECT id FROM repositories.repositories
         WHERE removed_at IS NULL AND ($1::uuid[] IS NULL OR project_id = ANY($1))
           AND ($2::text IS NULL OR (lower(full_name), id) > ($2, $3::uuid))
         ORDER BY lower(full_name), id
         LIMIT $4",
        projects.as_deref(),
        after.map(|key| key.0.as_str()),
        after.map(|key| key.1.uuid()),
        query.limit
    )
    .fetch_all(&mut *conn)
    .await?;
    let ids: Vec<RepositoryId> = ids.into_iter().map(RepositoryId::from).collect();
    let mut page = load(conn, &ids).await?;
    page.sort_by_key(|repository| ids.iter().position(|id| *id == repository.id));
    Ok(page)
}

/// Inserts a repository.
pub(crate) async fn insert(conn: &mut PgConnection, new: &NewRepository<'_>) -> Result<(), Error> {
    let done = sqlx::query!(
        "INSERT INTO repositories.repositories
             (id, project_id, provider, external_id, full_name, default_branch, services_text, services_path,
             follows_default_branch)
         VALUES ($1, $2, 'github', $3, $4, $5, $6, coalesce($7, '.ck8s/services.yaml'), $8)",
        new.id.uuid(),
        new.project_id.uuid(),
        new.external_id,
        new.full_name,
        new.default_branch,
        new.services_text,
        new.services_path,
        new.branch_source == BranchSource::Provider
    )
    .execute(conn)
    .await;
    done.map_err(|e| match constraint(&e) {
        Some("repositories_project_id_fkey") => Error::ProjectNotFound(new.project_id),
        _ => already_exists(e, new.external_id, new.full_name),
    })?;
    Ok(())
}

/// Changes fields of a repository that this transaction has locked.
pub(crate) async fn update(
    conn: &mut PgConnection,
    repository: &Repository,
    change: RepositoryChange<'_>,
) -> Result<(), Error> {
    let done = sqlx::query!(
        "UPDATE repositories.repositories
         SET full_name = coalesce($2, full_name), default_branch = coalesce($3, default_branch),
             services_text = coalesce($4, services_text), services_path = coalesce($5, services_path),
             follows_default_branch = coalesce($6, follows_default_branch),
             services_etag = CASE WHEN $3::text IS NULL AND $5::text IS NULL THEN services_etag END
         WHERE id = $1",
        repository.id.uuid(),
        change.full_name,
        change.default_branch,
        change.services_text,
        change.services_path,
        change
            .branch_source
            .map(|source| source == BranchSource::Provider)
    )
    .execute(conn)
    .await;
    let name = change.full_name.unwrap_or_default();
    done.map_err(|e| already_exists(e, &repository.external_id, name))?;
    Ok(())
}

/// Marks a repository as removed; its row stays for its runs and deliveries.
pub(crate) async fn remove(conn: &mut PgConnection, repository: RepositoryId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET removed_at = now() WHERE id = $1",
        repository.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a changed repository its new version, and notifies whoever caches it with the commit.
pub(crate) async fn touch(conn: &mut PgConnection, repository: RepositoryId) -> sqlx::Result<()> {
    let external_id = sqlx::query_scalar!(
        "UPDATE repositories.repositories SET version = version + 1, updated_at = now() WHERE id = $1
         RETURNING external_id",
        repository.uuid()
    )
    .fetch_one(&mut *conn)
    .await?;
    notify(conn, &external_id).await
}

/// Notifies, with the commit, whoever caches a repository, or caches that there is none.
pub(crate) async fn notify(conn: &mut PgConnection, external_id: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "SELECT pg_notify($1, $2)",
        notify_channels::REPOSITORIES,
        external_id
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(|e| e.constraint())
}

fn already_exists(error: sqlx::Error, external_id: &str, full_name: &str) -> Error {
    match constraint(&error) {
        Some("repositories_external_id") => Error::ExternalIdTaken(external_id.to_owned()),
        Some("repositories_full_name") => Error::NameTaken(full_name.to_owned()),
        _ => Error::Database(error),
    }
}
