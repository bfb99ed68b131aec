//! How a repository stands at its provider: its services.yaml there, its hook, until when the provider wants no questions.
use ck8s_db::channels;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::repositories::Repository;

/// Whom its credential acts as.
pub async fn set_actor(
    conn: &mut PgConnection,
    id: Uuid,
    external_id: &str,
    login: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET actor_id = $2, actor_login = $3, waits_until = NULL WHERE id = $1",
        id,
        external_id,
        login
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Its hook; whether that is news.
pub async fn set_hook(conn: &mut PgConnection, id: Uuid, hook_id: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE repositories.repositories SET hook_id = $2, hook_problem = NULL
         WHERE id = $1 AND (hook_id IS DISTINCT FROM $2 OR hook_problem IS NOT NULL)",
        id,
        hook_id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What is wrong with its hook; whether that is news.
pub async fn set_hook_problem(
    conn: &mut PgConnection,
    id: Uuid,
    problem: Option<&str>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE repositories.repositories SET hook_problem = $2 WHERE id = $1 AND hook_problem IS DISTINCT FROM $2",
        id,
        problem
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A delivery of its hook came. Written at most once a minute.
pub async fn hook_seen(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET hook_seen_at = now()
         WHERE id = $1 AND (hook_seen_at IS NULL OR hook_seen_at < now() - interval '1 minute')",
        id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A ping of its hook came: whoever waits for it is told, with the commit.
pub async fn ping_seen(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET hook_seen_at = now() WHERE id = $1",
        id
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("SELECT pg_notify($1, $2)", channels::HOOKS, id.to_string())
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Whether a delivery of its hook came within so many seconds.
pub async fn seen_within(conn: &mut PgConnection, id: Uuid, seconds: f64) -> sqlx::Result<bool> {
    let seen = sqlx::query_scalar!(
        r#"SELECT coalesce(hook_seen_at > now() - $2 * interval '1 second', false) AS "seen!"
           FROM repositories.repositories WHERE id = $1"#,
        id,
        seconds
    )
    .fetch_optional(conn)
    .await?;
    Ok(seen.unwrap_or_default())
}

/// The provider wants no questions until then.
pub async fn set_waits_until(
    conn: &mut PgConnection,
    id: Uuid,
    until: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET waits_until = $2 WHERE id = $1",
        id,
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a look at services.yaml came to. None: it stays as it was.
#[derive(Default)]
pub struct Look<'a> {
    /// The text that is in force from now on.
    pub text: Option<&'a str>,
    /// To ask with next time.
    pub etag: Option<&'a str>,
    /// The commit that was looked at.
    pub commit: Option<&'a str>,
    /// Why what is there is not in force; none: it is.
    pub problem: Option<&'a str>,
}

/// Writes down a look at a repository as it was read; whether what people see of it is new. None: somebody looked meanwhile, or changed
/// where to look: look again.
pub async fn looked(
    conn: &mut PgConnection,
    at: &Repository,
    look: Look<'_>,
) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar!(
        r#"WITH before AS (
            SELECT id, services_text, services_problem FROM repositories.repositories
            WHERE id = $1 AND removed_at IS NULL AND services_etag IS NOT DISTINCT FROM $6
              AND services_path = $7 AND default_branch = $8
            FOR NO KEY UPDATE
        )
        UPDATE repositories.repositories r
        SET services_text = coalesce($2, r.services_text), services_etag = coalesce($3, r.services_etag),
            services_commit = coalesce($4, r.services_commit), services_problem = $5, services_checked_at = now(), waits_until = NULL
        FROM before WHERE r.id = before.id
        RETURNING (before.services_problem IS DISTINCT FROM $5 OR before.services_text IS DISTINCT FROM coalesce($2, before.services_text)) AS "news!""#,
        at.id,
        look.text,
        look.etag,
        look.commit,
        look.problem,
        at.services_etag,
        at.services_path,
        at.default_branch
    )
    .fetch_optional(conn)
    .await
}

/// Takes repositories whose services.yaml nobody has looked at for so many seconds, oldest first; no other replica takes them too.
pub async fn due(conn: &mut PgConnection, seconds: f64, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "UPDATE repositories.repositories SET services_checked_at = now()
         WHERE id IN (
            SELECT r.id FROM repositories.repositories r JOIN repositories.credentials c ON c.repository_id = r.id
            WHERE r.removed_at IS NULL AND coalesce(r.services_checked_at, r.created_at) < now() - $1 * interval '1 second'
              AND (r.waits_until IS NULL OR r.waits_until < now())
            ORDER BY r.services_checked_at NULLS FIRST LIMIT $2
            FOR NO KEY UPDATE OF r SKIP LOCKED
         )
         RETURNING id",
        seconds,
        limit
    )
    .fetch_all(conn)
    .await
}

/// The next repository that has a credential and a hook, after this one.
pub async fn next_hooked(conn: &mut PgConnection, after: Uuid) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "SELECT r.id FROM repositories.repositories r JOIN repositories.credentials c ON c.repository_id = r.id
         WHERE r.removed_at IS NULL AND r.hook_id IS NOT NULL AND r.id > $1
           AND NOT EXISTS (SELECT FROM repositories.works w WHERE w.repository_id = r.id)
         ORDER BY r.id LIMIT 1",
        after
    )
    .fetch_optional(conn)
    .await
}

/// Every delivery up to then was looked for.
pub async fn set_recovered_until(
    conn: &mut PgConnection,
    id: Uuid,
    until: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET recovered_until = greatest(recovered_until, $2) WHERE id = $1",
        id,
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}
