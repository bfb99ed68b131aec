//! The rows of repositories: found by id, name or external id, read in one way, changed.
use ck8s_db::notify_channels;
use ck8s_types::{ProjectId, RepositoryId};
use serde::Deserialize;
use sqlx::{PgConnection, types::Json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    domain::{
        repository::{
            BranchSource, CredentialKind, DefaultBranch, Hook, NamedRepository, NamedStanding,
            NewRepository, PageQuery, ProviderState, Repository, RepositoryChange, ServicesFile,
        },
        run_secret::{Binding, RunSecret},
    },
    error::Error,
};

/// Begins a transaction whose statements all see the same data.
pub(crate) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Bounds the projects that get webhooks of one repository which all of them added by hand: each costs a signature's
/// check for every webhook that names it, also a stranger's.
const MAX_BY_HAND: i64 = 32;

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
    secrets: Json<Vec<SecretRow>>,
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

/// A secret in the row of its repository.
#[derive(Deserialize)]
struct SecretRow {
    name: String,
    triggers: Vec<String>,
    /// Microseconds since 1970.
    updated_us: i64,
}

impl From<SecretRow> for RunSecret {
    fn from(row: SecretRow) -> Self {
        Self {
            name: row.name,
            binding: Binding::from_names(row.triggers),
            updated_at: OffsetDateTime::UNIX_EPOCH + Duration::microseconds(row.updated_us),
        }
    }
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
            secrets: row.secrets.0.into_iter().map(RunSecret::from).collect(),
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
                  (SELECT coalesce(json_agg(json_build_object('name', s.name, 'triggers', coalesce(s.triggers, '{}'), 'updated_us',
                        (extract(epoch FROM s.updated_at) * 1000000)::bigint) ORDER BY s.name), '[]')
                   FROM repositories.secrets s WHERE s.repository_id = r.id) AS "secrets!: Json<Vec<SecretRow>>",
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

/// Returns the repositories that have this id or owner/name, oldest first: of each project the live one, or else the
/// one that was removed last.
pub(crate) async fn named(
    conn: &mut PgConnection,
    name: &str,
) -> sqlx::Result<Vec<NamedRepository>> {
    let id = Uuid::try_parse(name).ok();
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (r.project_id) r.id, r.project_id, r.removed_at IS NULL AS "is_live!",
               EXISTS (SELECT FROM repositories.credentials AS c WHERE c.repository_id = r.id) AS "is_managed!"
         FROM repositories.repositories AS r
         WHERE CASE WHEN $1::uuid IS NULL THEN r.provider = 'github' AND lower(r.full_name) = lower($2) ELSE r.id = $1 END
         ORDER BY r.project_id, r.removed_at DESC NULLS FIRST"#,
        id,
        name
    )
    .fetch_all(conn)
    .await?;
    let mut named: Vec<NamedRepository> = rows
        .into_iter()
        .map(|row| NamedRepository {
            id: row.id.into(),
            project: row.project_id.into(),
            standing: match (row.is_live, row.is_managed) {
                (false, _) => NamedStanding::Removed,
                (true, false) => NamedStanding::ByHand,
                (true, true) => NamedStanding::Managed,
            },
        })
        .collect();
    named.sort_by_key(|named| named.id);
    Ok(named)
}

/// Reads a repository that was not removed, and locks it until the transaction ends.
pub(crate) async fn get_locked(
    conn: &mut PgConnection,
    id: RepositoryId,
) -> Result<Repository, Error> {
    sqlx::query!(
        "SELECT id FROM repositories.repositories WHERE id = $1 AND removed_at IS NULL FOR NO KEY UPDATE",
        id.uuid()
    )
    .fetch_optional(&mut *conn)
    .await?;
    get(conn, id).await
}

/// Returns the project that manages the repository that has this id at the provider.
pub(crate) async fn manager(
    conn: &mut PgConnection,
    external_id: &str,
) -> sqlx::Result<Option<ProjectId>> {
    let project = sqlx::query_scalar!(
        "SELECT r.project_id FROM repositories.credentials AS c
         JOIN repositories.repositories AS r ON r.id = c.repository_id
         WHERE c.provider = 'github' AND c.external_id = $1",
        external_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(project.map(ProjectId::from))
}

/// Returns the repositories whose webhooks name these ids of the provider: of each id the one that ck8s manages, or
/// else those that were added by hand, the first `MAX_BY_HAND` of them. Oldest first.
pub(crate) async fn claimants(
    conn: &mut PgConnection,
    external_ids: &[String],
) -> sqlx::Result<Vec<RepositoryId>> {
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM (
            SELECT r.id, c.repository_id IS NOT NULL AS is_managed,
                bool_or(c.repository_id IS NOT NULL) OVER (PARTITION BY r.external_id) AS has_manager,
                row_number() OVER (PARTITION BY r.external_id ORDER BY r.id) AS place
            FROM repositories.repositories AS r LEFT JOIN repositories.credentials AS c ON c.repository_id = r.id
            WHERE r.provider = 'github' AND r.external_id = ANY($1) AND r.removed_at IS NULL
         ) AS claims
         WHERE CASE WHEN has_manager THEN is_managed ELSE place <= $2 END
         ORDER BY id"#,
        external_ids,
        MAX_BY_HAND
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(RepositoryId::from).collect())
}

/// Returns a page of the repositories whose services.yaml speaks of a schedule, by id: each id, and the provider's.
pub(crate) async fn scheduled(
    conn: &mut PgConnection,
    after: Option<RepositoryId>,
    limit: usize,
) -> sqlx::Result<Vec<(RepositoryId, String)>> {
    let rows = sqlx::query!(
        "SELECT id, external_id FROM repositories.repositories
         WHERE removed_at IS NULL AND services_text LIKE '%schedule%' AND id > $1 ORDER BY id LIMIT $2",
        after.map_or(Uuid::nil(), RepositoryId::uuid),
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter();
    Ok(rows.map(|row| (row.id.into(), row.external_id)).collect())
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

pub(super) fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(|e| e.constraint())
}

fn already_exists(error: sqlx::Error, external_id: &str, full_name: &str) -> Error {
    match constraint(&error) {
        Some("repositories_external_id") => Error::ExternalIdTaken(external_id.to_owned()),
        Some("repositories_full_name") => Error::NameTaken(full_name.to_owned()),
        _ => Error::Database(error),
    }
}
