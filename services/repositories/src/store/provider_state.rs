//! What is known of a repository at its provider: the account that its credential acts as, its hook, its services.yaml,
//! and until when the provider takes no requests.
use ck8s_db::notify_channels;
use ck8s_provider::Actor;
use ck8s_types::RepositoryId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::repository::Repository;

/// Sets the account that the credential of a repository acts as.
pub(crate) async fn set_actor(
    conn: &mut PgConnection,
    repository: RepositoryId,
    actor: &Actor,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET actor_id = $2, actor_login = $3, waits_until = NULL WHERE id = $1",
        repository.uuid(),
        actor.external_id,
        actor.login
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets the hook of a repository, which is as it should be. Returns whether anything changed.
pub(crate) async fn set_hook(
    conn: &mut PgConnection,
    repository: RepositoryId,
    hook_id: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE repositories.repositories SET hook_id = $2, hook_problem = NULL
         WHERE id = $1 AND (hook_id IS DISTINCT FROM $2 OR hook_problem IS NOT NULL)",
        repository.uuid(),
        hook_id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Sets what is wrong with the hook of a repository. Returns whether anything changed.
pub(crate) async fn set_hook_problem(
    conn: &mut PgConnection,
    repository: RepositoryId,
    problem: Option<&str>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE repositories.repositories SET hook_problem = $2 WHERE id = $1 AND hook_problem IS DISTINCT FROM $2",
        repository.uuid(),
        problem
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that a delivery of a repository's hook came, at most once a minute.
pub(crate) async fn note_delivery(
    conn: &mut PgConnection,
    repository: RepositoryId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET hook_seen_at = now()
         WHERE id = $1 AND (hook_seen_at IS NULL OR hook_seen_at < now() - interval '1 minute')",
        repository.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a ping of a repository's hook came, and notifies whoever waits for it with the commit.
pub(crate) async fn note_ping(
    conn: &mut PgConnection,
    repository: RepositoryId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET hook_seen_at = now() WHERE id = $1",
        repository.uuid()
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "SELECT pg_notify($1, $2)",
        notify_channels::HOOKS,
        repository.to_string()
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Returns whether a delivery of a repository's hook came within the last seconds.
pub(crate) async fn delivery_came_within(
    conn: &mut PgConnection,
    repository: RepositoryId,
    seconds: f64,
) -> sqlx::Result<bool> {
    let seen = sqlx::query_scalar!(
        r#"SELECT coalesce(hook_seen_at > now() - $2 * interval '1 second', false) AS "seen!"
           FROM repositories.repositories WHERE id = $1"#,
        repository.uuid(),
        seconds
    )
    .fetch_optional(conn)
    .await?;
    Ok(seen.unwrap_or_default())
}

/// Sets until when the provider takes no requests for a repository.
pub(crate) async fn set_limited_until(
    conn: &mut PgConnection,
    repository: RepositoryId,
    until: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET waits_until = $2 WHERE id = $1",
        repository.uuid(),
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a reading of services.yaml came to. None: the value stays as it was.
#[derive(Default)]
pub(crate) struct ServicesReading<'a> {
    /// The text that is in force from now on.
    pub text: Option<&'a str>,
    /// The etag for the next reading.
    pub etag: Option<&'a str>,
    /// The commit that was read.
    pub commit: Option<&'a str>,
    /// Why the file is not in force; none: it is.
    pub problem: Option<&'a str>,
}

/// Records a reading of services.yaml that started from `repository`. Returns whether people see anything new; none:
/// another reading was recorded meanwhile, or the path or the branch changed, so that this one does not count.
pub(crate) async fn record_services_reading(
    conn: &mut PgConnection,
    repository: &Repository,
    reading: ServicesReading<'_>,
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
        repository.id.uuid(),
        reading.text,
        reading.etag,
        reading.commit,
        reading.problem,
        repository.services_file.etag,
        repository.services_file.path,
        repository.default_branch.name
    )
    .fetch_optional(conn)
    .await
}

/// Takes repositories whose services.yaml nobody has read for so many seconds, oldest first. No other replica takes the
/// same ones.
pub(crate) async fn take_due_for_sync(
    conn: &mut PgConnection,
    seconds: f64,
    limit: i64,
) -> sqlx::Result<Vec<RepositoryId>> {
    let ids = sqlx::query_scalar!(
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
    .await?;
    Ok(ids.into_iter().map(RepositoryId::from).collect())
}

/// Returns the next repository after this one that has a credential and a hook, and no pending change. None as `after`:
/// the first.
pub(crate) async fn next_with_hook(
    conn: &mut PgConnection,
    after: Option<RepositoryId>,
) -> sqlx::Result<Option<RepositoryId>> {
    let id = sqlx::query_scalar!(
        "SELECT r.id FROM repositories.repositories r JOIN repositories.credentials c ON c.repository_id = r.id
         WHERE r.removed_at IS NULL AND r.hook_id IS NOT NULL AND r.id > $1
           AND NOT EXISTS (SELECT FROM repositories.works w WHERE w.repository_id = r.id)
         ORDER BY r.id LIMIT 1",
        after.map_or_else(Uuid::nil, RepositoryId::uuid)
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(RepositoryId::from))
}

/// Notes that every delivery up to then arrived or is kept as missing.
pub(crate) async fn set_recovered_until(
    conn: &mut PgConnection,
    repository: RepositoryId,
    until: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.repositories SET recovered_until = greatest(recovered_until, $2) WHERE id = $1",
        repository.uuid(),
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}
