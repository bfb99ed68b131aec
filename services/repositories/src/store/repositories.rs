//! Repositories: found by one of their names, read in one way.
use ck8s_db::channels;
use ck8s_types::{ProjectId, RepositoryId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Error;

/// A repository that was not removed.
#[derive(Clone, Debug)]
pub struct Repository {
    pub id: Uuid,
    pub project_id: Uuid,
    pub external_id: String,
    pub full_name: String,
    pub default_branch: String,
    /// Nobody chose another one than the provider's.
    pub follows_default_branch: bool,
    pub services_text: String,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    /// Names of the secrets of its runs, sorted.
    pub secret_names: Vec<String>,
    /// When the webhook secret before the current one ends, if there is one.
    pub previous_secret_expires_at: Option<OffsetDateTime>,
    /// `token`, `app`; none: it is looked after by hand.
    pub credential: Option<String>,
    pub services_path: String,
    pub services_etag: Option<String>,
    /// Why the file at the provider is not in force.
    pub services_problem: Option<String>,
    pub services_commit: Option<String>,
    pub services_checked_at: Option<OffsetDateTime>,
    pub hook_id: Option<String>,
    pub hook_problem: Option<String>,
    /// When a delivery of the hook last came, by the minute.
    pub hook_seen_at: Option<OffsetDateTime>,
    /// Whom its credential acts as.
    pub actor_id: Option<String>,
    pub actor_login: Option<String>,
    /// The provider wants no questions until then.
    pub waits_until: Option<OffsetDateTime>,
    pub recovered_until: Option<OffsetDateTime>,
}

impl Repository {
    /// Until when its provider wants no questions; none: it takes them.
    pub fn waits(&self) -> Option<OffsetDateTime> {
        let now = OffsetDateTime::now_utc();
        self.waits_until.filter(|until| *until > now)
    }
}

/// A repository to add.
pub struct New<'a> {
    pub id: RepositoryId,
    pub project_id: ProjectId,
    pub external_id: &'a str,
    pub full_name: &'a str,
    pub default_branch: &'a str,
    /// Nobody chose another one than the provider's.
    pub follows_default_branch: bool,
    pub services_text: &'a str,
    /// None: the usual one.
    pub services_path: Option<&'a str>,
}

/// Fields to change; none: it stays.
#[derive(Clone, Copy, Default)]
pub struct Change<'a> {
    pub full_name: Option<&'a str>,
    pub default_branch: Option<&'a str>,
    pub follows_default_branch: Option<bool>,
    pub services_text: Option<&'a str>,
    pub services_path: Option<&'a str>,
}

/// Where the next page starts: after this name (in lower case) and id.
pub type PageKey = (String, Uuid);

/// Reads repositories by id, in no order; those that were removed are missing.
pub async fn load(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Repository>> {
    sqlx::query_as!(
        Repository,
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
        ids
    )
    .fetch_all(conn)
    .await
}

/// Reads one.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Repository, Error> {
    let found = load(conn, &[id]).await?.pop();
    found.ok_or_else(|| Error::NotFound(id.to_string()))
}

/// The id of a repository by its id or owner/name.
pub async fn find(conn: &mut PgConnection, name: &str) -> Result<Uuid, Error> {
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
    found.ok_or_else(|| Error::NotFound(name.to_owned()))
}

/// The project of a repository by its id or owner/name, also of one that was removed; none: there never was one.
pub async fn project_of(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<ProjectId>> {
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

/// As [`find`], and no other transaction changes it before this one ends.
pub async fn find_locked(conn: &mut PgConnection, name: &str) -> Result<Repository, Error> {
    let id = find(conn, name).await?;
    let locked = sqlx::query_scalar!(
        "SELECT id FROM repositories.repositories WHERE id = $1 AND removed_at IS NULL FOR NO KEY UPDATE",
        id
    )
    .fetch_optional(&mut *conn)
    .await?;
    match locked {
        Some(id) => get(conn, id).await,
        None => Err(Error::NotFound(name.to_owned())),
    }
}

/// Ids by the provider's ids.
pub async fn by_external_ids(
    conn: &mut PgConnection,
    external_ids: &[String],
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT id FROM repositories.repositories
         WHERE provider = 'github' AND external_id = ANY($1) AND removed_at IS NULL",
        external_ids
    )
    .fetch_all(conn)
    .await
}

/// A page by name, of these projects; none: of all.
pub async fn list(
    conn: &mut PgConnection,
    projects: Option<Vec<ProjectId>>,
    after: Option<&PageKey>,
    limit: i64,
) -> sqlx::Result<Vec<Repository>> {
    let projects: Option<Vec<Uuid>> =
        projects.map(|these| these.into_iter().map(ProjectId::uuid).collect());
    let ids = sqlx::query_scalar!(
        "SELECT id FROM repositories.repositories
         WHERE removed_at IS NULL AND ($1::uuid[] IS NULL OR project_id = ANY($1))
           AND ($2::text IS NULL OR (lower(full_name), id) > ($2, $3::uuid))
         ORDER BY lower(full_name), id
         LIMIT $4",
        projects.as_deref(),
        after.map(|k| k.0.as_str()),
        after.map(|k| k.1),
        limit
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut page = load(conn, &ids).await?;
    page.sort_by_key(|r| ids.iter().position(|id| *id == r.id));
    Ok(page)
}

/// Adds one.
pub async fn insert(conn: &mut PgConnection, new: &New<'_>) -> Result<(), Error> {
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
        new.follows_default_branch
    )
    .execute(conn)
    .await;
    done.map_err(|e| match constraint(&e) {
        Some("repositories_project_id_fkey") => Error::ProjectNotFound(new.project_id),
        _ => taken(e, new.external_id, new.full_name),
    })?;
    Ok(())
}

/// Changes fields of a repository that this transaction has locked.
pub async fn update(
    conn: &mut PgConnection,
    repository: &Repository,
    change: Change<'_>,
) -> Result<(), Error> {
    let done = sqlx::query!(
        "UPDATE repositories.repositories
         SET full_name = coalesce($2, full_name), default_branch = coalesce($3, default_branch),
             services_text = coalesce($4, services_text), services_path = coalesce($5, services_path),
             follows_default_branch = coalesce($6, follows_default_branch),
             services_etag = CASE WHEN $3::text IS NULL AND $5::text IS NULL THEN services_etag END
         WHERE id = $1",
        repository.id,
        change.full_name,
        change.default_branch,
        change.services_text,
        change.services_path,
        change.follows_default_branch
    )
    .execute(conn)
    .await;
    let name = change.full_name.unwrap_or_default();
    done.map_err(|e| taken(e, &repository.external_id, name))?;
    Ok(())
}

/// Marks one as removed; its row stays for its runs and deliveries.
pub async fn remove(conn: &mut PgConnection, repository: &Repository) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET removed_at = now() WHERE id = $1",
        repository.id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a changed repository its new version, and tells those who remember it.
pub async fn touch(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    let external_id = sqlx::query_scalar!(
        "UPDATE repositories.repositories SET version = version + 1, updated_at = now() WHERE id = $1
         RETURNING external_id",
        id
    )
    .fetch_one(&mut *conn)
    .await?;
    notify(conn, &external_id).await
}

/// Tells those who remember a repository, or remember that there is none, to ask again. Sent with the commit.
pub async fn notify(conn: &mut PgConnection, external_id: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "SELECT pg_notify($1, $2)",
        channels::REPOSITORIES,
        external_id
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(|e| e.constraint())
}

fn taken(error: sqlx::Error, external_id: &str, full_name: &str) -> Error {
    match constraint(&error) {
        Some("repositories_external_id") => Error::ExternalIdTaken(external_id.to_owned()),
        Some("repositories_full_name") => Error::NameTaken(full_name.to_owned()),
        _ => Error::Database(error),
    }
}
