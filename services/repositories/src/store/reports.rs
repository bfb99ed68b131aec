//! What the provider is to be told of runs, what it was told, and up to where flow events were read for it.
use ck8s_db::Lock;
use ck8s_types::RunId;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// The reader's name among the cursors.
const NAME: &str = "reports";
/// The provider of one repository is told of so many runs before others get their turn.
const MOST: i64 = 50;

/// A place in the order of flow events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub i64, pub i64);

/// The reporter's lock; none: another replica has it.
pub async fn alone(pool: &PgPool) -> sqlx::Result<Option<Lock>> {
    Lock::take(pool, "repositories.reports").await
}

/// Up to where events were read. The first time: up to now, so that nothing old is told.
pub async fn cursor(conn: &mut PgConnection) -> sqlx::Result<Cursor> {
    sqlx::query!(
        "INSERT INTO repositories.cursors (name, xact, seq)
         VALUES ($1, pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1, 9223372036854775807)
         ON CONFLICT DO NOTHING",
        NAME
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query!(
        "SELECT xact, seq FROM repositories.cursors WHERE name = $1",
        NAME
    )
    .fetch_one(conn)
    .await?;
    Ok(Cursor(row.xact, row.seq))
}

/// Everything up to there was read.
pub async fn advance(conn: &mut PgConnection, to: Cursor) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.cursors SET xact = $2, seq = $3 WHERE name = $1",
        NAME,
        to.0,
        to.1
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Events after a place, oldest first, with the run that each is of, where its project has a repository that ck8s looks after; only below the oldest transaction that still writes, so that none
/// becomes visible behind the reader's back.
pub async fn events(
    conn: &mut PgConnection,
    after: Cursor,
    limit: i64,
) -> sqlx::Result<Vec<(Cursor, Option<RunId>)>> {
    let rows = sqlx::query!(
        r#"SELECT xact, seq, CASE WHEN kind LIKE 'run.%' AND EXISTS (
                  SELECT FROM repositories.repositories r JOIN repositories.credentials c ON c.repository_id = r.id
                  WHERE r.project_id = e.project_id) THEN run_id END AS run_id
           FROM audit.flow_events e
           WHERE (xact, seq) > ($1, $2) AND xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
           ORDER BY xact, seq LIMIT $3"#,
        after.0,
        after.1,
        limit
    )
    .fetch_all(conn)
    .await?;
    let event = |xact, seq, run: Option<Uuid>| (Cursor(xact, seq), run.map(RunId::from));
    Ok(rows
        .into_iter()
        .map(|row| event(row.xact, row.seq, row.run_id))
        .collect())
}

/// A run whose provider is to be told of it.
pub struct Wanted<'a> {
    pub run: RunId,
    pub repository: Uuid,
    pub trigger: &'a str,
    pub commit: Option<&'a str>,
    pub thread: Option<i64>,
    pub state: &'a str,
}

/// The provider is to be told that a run is in this state, if ck8s looks after its repository.
pub async fn wanted(conn: &mut PgConnection, wanted: &Wanted<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.reports (run_id, repository_id, trigger_name, commit_sha, thread, state)
         SELECT $1, c.repository_id, $3, $4, $5, $6 FROM repositories.credentials c WHERE c.repository_id = $2
         ON CONFLICT (run_id) DO UPDATE SET state = excluded.state, updated_at = now()",
        wanted.run.uuid(),
        wanted.repository,
        wanted.trigger,
        wanted.commit,
        wanted.thread,
        wanted.state
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A run of which the provider is to be told.
pub struct Due {
    pub run: RunId,
    pub repository: Uuid,
    pub commit: Option<String>,
    pub thread: Option<i64>,
    /// What it is to be told.
    pub state: String,
    /// What it was told; empty: nothing yet.
    pub said: String,
    /// No newer run is of the same thread.
    pub newest_of_thread: bool,
    /// No newer run of the same trigger is of the same commit.
    pub newest_of_commit: bool,
}

/// Repositories whose provider is to be told of runs, and takes questions; those that waited longest first.
pub async fn due(conn: &mut PgConnection, but: &[Uuid], most: usize) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT p.repository_id
         FROM repositories.reports p
         JOIN repositories.repositories r ON r.id = p.repository_id AND r.removed_at IS NULL
         JOIN repositories.credentials c ON c.repository_id = r.id
         WHERE p.said <> p.state AND (r.waits_until IS NULL OR r.waits_until < now()) AND p.repository_id <> ALL ($1)
         GROUP BY p.repository_id ORDER BY min(p.updated_at) LIMIT $2",
        but,
        i64::try_from(most).unwrap_or(i64::MAX)
    )
    .fetch_all(conn)
    .await
}

/// A repository's runs of which its provider is to be told, those that waited longest first.
pub async fn due_of(conn: &mut PgConnection, repository: Uuid) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"SELECT p.run_id, p.repository_id, p.commit_sha, p.thread, p.state, p.said,
                  NOT EXISTS (SELECT FROM repositories.reports n
                              WHERE n.repository_id = p.repository_id AND n.thread = p.thread AND n.run_id > p.run_id) AS "newest_of_thread!",
                  NOT EXISTS (SELECT FROM repositories.reports n
                              WHERE n.repository_id = p.repository_id AND n.commit_sha = p.commit_sha AND n.trigger_name = p.trigger_name
                                AND n.run_id > p.run_id) AS "newest_of_commit!"
           FROM repositories.reports p
           WHERE p.repository_id = $1 AND p.said <> p.state
           ORDER BY p.updated_at, p.run_id LIMIT $2"#,
        repository,
        MOST
    )
    .fetch_all(conn)
    .await?;
    let due = rows.into_iter().map(|row| Due {
        run: row.run_id.into(),
        repository: row.repository_id,
        commit: row.commit_sha,
        thread: row.thread,
        state: row.state,
        said: row.said,
        newest_of_thread: row.newest_of_thread,
        newest_of_commit: row.newest_of_commit,
    });
    Ok(due.collect())
}

/// The provider was told this, when it was to be told what is due; what it is to be told since then, stays so.
pub async fn said(conn: &mut PgConnection, due: &Due, state: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.reports
         SET said = $2, state = CASE WHEN state = $3 THEN $2 ELSE state END, updated_at = now()
         WHERE run_id = $1",
        due.run.uuid(),
        state,
        due.state
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// It could not be told: others come first.
pub async fn later(conn: &mut PgConnection, run: RunId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.reports SET updated_at = now() WHERE run_id = $1",
        run.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Our comment in a thread.
pub async fn comment(
    conn: &mut PgConnection,
    repository: Uuid,
    thread: i64,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "SELECT comment_id FROM repositories.comments WHERE repository_id = $1 AND thread = $2",
        repository,
        thread
    )
    .fetch_optional(conn)
    .await
}

/// This is it.
pub async fn set_comment(
    conn: &mut PgConnection,
    repository: Uuid,
    thread: i64,
    comment_id: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.comments (repository_id, thread, comment_id) VALUES ($1, $2, $3)
         ON CONFLICT (repository_id, thread) DO UPDATE SET comment_id = excluded.comment_id",
        repository,
        thread,
        comment_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets runs that were told of long ago.
pub async fn sweep(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.reports WHERE said = state AND updated_at < now() - interval '90 days'"
    )
    .execute(conn)
    .await?;
    Ok(())
}
