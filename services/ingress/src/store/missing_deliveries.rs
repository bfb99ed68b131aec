//! Deliveries that did not arrive (`ingress.missing_deliveries`): a row is open while `next_try_at` is set.
use std::collections::HashSet;

use ck8s_types::RepositoryId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::missing_delivery::{EndedSearch, FoundMissing, MissingState, OpenDelivery, Try};

/// The row of an open delivery.
struct OpenRow {
    repository_id: Uuid,
    delivery_key: String,
    attempt_id: String,
    state: String,
    reason: String,
    tries: i32,
    attempted_at: OffsetDateTime,
}

impl OpenRow {
    fn into_domain(self) -> sqlx::Result<OpenDelivery> {
        Ok(OpenDelivery {
            repository_id: self.repository_id.into(),
            delivery_key: self.delivery_key,
            attempt_id: self.attempt_id,
            state: self
                .state
                .parse()
                .map_err(|unknown| sqlx::Error::Decode(Box::new(unknown)))?,
            reason: self.reason,
            tries: self.tries,
            attempted_at: self.attempted_at,
        })
    }
}

/// Returns those of these keys that have a row.
pub(crate) async fn known(
    conn: &mut PgConnection,
    repository: RepositoryId,
    keys: &[&str],
) -> sqlx::Result<HashSet<String>> {
    let known = sqlx::query_scalar!(
        "SELECT delivery_key FROM ingress.missing_deliveries WHERE repository_id = $1 AND delivery_key = ANY ($2)",
        repository.uuid(),
        keys as &[&str],
    )
    .fetch_all(conn)
    .await?;
    Ok(known.into_iter().collect())
}

/// Counts the open rows of a repository.
pub(crate) async fn count_open(
    conn: &mut PgConnection,
    repository: RepositoryId,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM ingress.missing_deliveries
           WHERE repository_id = $1 AND next_try_at IS NOT NULL"#,
        repository.uuid(),
    )
    .fetch_one(conn)
    .await
}

/// Keeps these as missing. One that is open already gets its latest attempt and the reason for it; one that had arrived
/// has failed since, and is open again. What was given up stays so.
pub(crate) async fn keep(
    conn: &mut PgConnection,
    repository: RepositoryId,
    found: &[FoundMissing],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let keys: Vec<&str> = found.iter().map(|f| f.delivery_key.as_str()).collect();
    let attempts: Vec<&str> = found.iter().map(|f| f.attempt_id.as_str()).collect();
    let events: Vec<&str> = found.iter().map(|f| f.event.as_str()).collect();
    let reasons: Vec<&str> = found.iter().map(|f| f.reason.as_str()).collect();
    let times: Vec<OffsetDateTime> = found.iter().map(|f| f.attempted_at).collect();
    sqlx::query!(
        "INSERT INTO ingress.missing_deliveries AS m
            (repository_id, delivery_key, attempt_id, event, reason, attempted_at, next_try_at, changed_at)
         SELECT $1, f.delivery_key, f.attempt_id, f.event, f.reason, f.attempted_at, $7, $7
         FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
              AS f (delivery_key, attempt_id, event, reason, attempted_at)
         ON CONFLICT (repository_id, delivery_key) DO UPDATE
         SET attempt_id = excluded.attempt_id, reason = excluded.reason, changed_at = $7,
             state = CASE WHEN m.state = 'arrived' THEN 'missing' ELSE m.state END,
             next_try_at = coalesce(m.next_try_at, $7)
         WHERE m.state = 'arrived' OR (m.next_try_at IS NOT NULL AND m.attempt_id <> excluded.attempt_id)",
        repository.uuid(),
        &keys as &[&str],
        &attempts as &[&str],
        &events as &[&str],
        &reasons as &[&str],
        &times,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the open rows after this one, in order. None as `after`: the first.
pub(crate) async fn open(
    conn: &mut PgConnection,
    after: Option<&OpenDelivery>,
    limit: i64,
) -> sqlx::Result<Vec<OpenDelivery>> {
    let (repository, key) = after.map_or((Uuid::nil(), ""), |after| {
        (after.repository_id.uuid(), after.delivery_key.as_str())
    });
    let rows = sqlx::query_as!(
        OpenRow,
        "SELECT repository_id, delivery_key, attempt_id, state, reason, tries, attempted_at
         FROM ingress.missing_deliveries
         WHERE next_try_at IS NOT NULL AND (repository_id, delivery_key) > ($1, $2)
         ORDER BY repository_id, delivery_key LIMIT $3",
        repository,
        key,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(OpenRow::into_domain).collect()
}

/// Reports whether any row is due.
pub(crate) async fn is_any_due(conn: &mut PgConnection, now: OffsetDateTime) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM ingress.missing_deliveries WHERE next_try_at <= $1) AS "due!""#,
        now,
    )
    .fetch_one(conn)
    .await
}

/// Returns the repositories of which a row is due.
pub(crate) async fn due_repositories(
    conn: &mut PgConnection,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<RepositoryId>> {
    let ids = sqlx::query_scalar!(
        "SELECT DISTINCT repository_id FROM ingress.missing_deliveries WHERE next_try_at <= $1 ORDER BY repository_id",
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(RepositoryId::from).collect())
}

/// Returns the due rows of a repository: those that have waited longest first, and of these the oldest deliveries.
pub(crate) async fn due(
    conn: &mut PgConnection,
    repository: RepositoryId,
    now: OffsetDateTime,
    limit: i64,
) -> sqlx::Result<Vec<OpenDelivery>> {
    let rows = sqlx::query_as!(
        OpenRow,
        "SELECT repository_id, delivery_key, attempt_id, state, reason, tries, attempted_at
         FROM ingress.missing_deliveries WHERE repository_id = $1 AND next_try_at <= $2
         ORDER BY next_try_at, attempted_at, delivery_key LIMIT $3",
        repository.uuid(),
        now,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(OpenRow::into_domain).collect()
}

/// Notes what became of requests for these. A row that is not open any more stays as it is.
pub(crate) async fn note_tries(
    conn: &mut PgConnection,
    repository: RepositoryId,
    tries: &[Try],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let keys: Vec<&str> = tries.iter().map(|t| t.delivery_key.as_str()).collect();
    let states: Vec<&str> = tries.iter().map(|t| t.state.as_str()).collect();
    let reasons: Vec<&str> = tries.iter().map(|t| t.reason.as_str()).collect();
    let nexts: Vec<OffsetDateTime> = tries.iter().map(|t| t.next_try_at).collect();
    sqlx::query!(
        "UPDATE ingress.missing_deliveries AS m
         SET state = t.state, reason = t.reason, tries = m.tries + 1, asked_at = $6, next_try_at = t.next_try_at,
             changed_at = $6
         FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS t (delivery_key, state, reason, next_try_at)
         WHERE m.repository_id = $1 AND m.delivery_key = ANY (ARRAY[t.delivery_key]) AND m.next_try_at IS NOT NULL",
        repository.uuid(),
        &keys as &[&str],
        &states as &[&str],
        &reasons as &[&str],
        &nexts,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes due what is open of a repository and was asked for before one of these, in this state or a later one. The way
/// is free again: one got through.
pub(crate) async fn hurry(
    conn: &mut PgConnection,
    repository: RepositoryId,
    keys: &[&str],
    states: &[MissingState],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    sqlx::query!(
        "UPDATE ingress.missing_deliveries SET next_try_at = $4, changed_at = $4
         WHERE repository_id = $1 AND next_try_at > $4 AND state = ANY ($3)
           AND asked_at < (SELECT max(asked_at) FROM ingress.missing_deliveries
                           WHERE repository_id = $1 AND delivery_key = ANY ($2))",
        repository.uuid(),
        keys as &[&str],
        &states as &[&str],
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the search for these, if they are open. Returns those that were.
pub(crate) async fn end(
    conn: &mut PgConnection,
    repository: RepositoryId,
    state: MissingState,
    ended: &[EndedSearch],
    now: OffsetDateTime,
) -> sqlx::Result<Vec<EndedSearch>> {
    let keys: Vec<&str> = ended.iter().map(|e| e.delivery_key.as_str()).collect();
    let reasons: Vec<&str> = ended.iter().map(|e| e.reason.as_str()).collect();
    let rows = sqlx::query!(
        "UPDATE ingress.missing_deliveries AS m
         SET state = $4, reason = e.reason, next_try_at = NULL, changed_at = $5
         FROM unnest($2::text[], $3::text[]) AS e (delivery_key, reason)
         WHERE m.repository_id = $1 AND m.delivery_key = ANY (ARRAY[e.delivery_key]) AND m.next_try_at IS NOT NULL
         RETURNING m.delivery_key, m.reason, m.attempted_at",
        repository.uuid(),
        &keys as &[&str],
        &reasons as &[&str],
        state.as_str(),
        now,
    )
    .fetch_all(conn)
    .await?;
    let mut ended: Vec<EndedSearch> = rows
        .into_iter()
        .map(|row| EndedSearch {
            delivery_key: row.delivery_key,
            reason: row.reason,
            attempted_at: row.attempted_at,
        })
        .collect();
    ended.sort_by_key(|ended| ended.attempted_at);
    Ok(ended)
}

/// Deletes rows that ended a week ago, and returns how many. The provider has forgotten these deliveries, so none is
/// found again.
pub(crate) async fn delete_old(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM ingress.missing_deliveries WHERE next_try_at IS NULL AND changed_at < now() - interval '7 days'"
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
