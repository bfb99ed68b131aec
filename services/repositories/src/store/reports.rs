//! Reports of runs to the provider: those that are due, those that were made, and up to which flow event runs were read
//! for them.
use ck8s_db::Lock;
use ck8s_types::{RepositoryId, RunId};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::report::{DueReport, DueRepository, EventCursor, RunReport};

/// The name of the reporter's cursor.
const CURSOR_NAME: &str = "reports";
/// Bounds the reports of one repository that are made before others get their turn.
const MAX_REPORTS_PER_TURN: i64 = 50;

/// Takes the lock of the reporter; none: another replica holds it.
pub(crate) async fn lock(pool: &PgPool) -> sqlx::Result<Option<Lock>> {
    Lock::take(pool, "repositories.reports").await
}

/// Returns up to where events were read. The first time that is now, so that nothing old is reported.
pub(crate) async fn cursor(conn: &mut PgConnection) -> sqlx::Result<EventCursor> {
    sqlx::query!(
        "INSERT INTO repositories.cursors (name, xact, seq)
         VALUES ($1, pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1
             + (SELECT xact_offset FROM audit.clusters ORDER BY number DESC LIMIT 1), 9223372036854775807)
         ON CONFLICT DO NOTHING",
        CURSOR_NAME
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query!(
        "SELECT xact, seq FROM repositories.cursors WHERE name = $1",
        CURSOR_NAME
    )
    .fetch_one(conn)
    .await?;
    Ok(EventCursor {
        xact: row.xact,
        seq: row.seq,
    })
}

/// Notes that everything up to there was read.
pub(crate) async fn advance(conn: &mut PgConnection, to: EventCursor) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.cursors SET xact = $2, seq = $3 WHERE name = $1",
        CURSOR_NAME,
        to.xact,
        to.seq
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns events after a place, oldest first, each with its run if its project has a managed repository. It stops
/// below the oldest transaction that still writes, so that no event becomes visible behind the cursor.
pub(crate) async fn events(
    conn: &mut PgConnection,
    after: EventCursor,
    limit: i64,
) -> sqlx::Result<Vec<(EventCursor, Option<RunId>)>> {
    let rows = sqlx::query!(
        r#"SELECT xact, seq, CASE WHEN kind LIKE 'run.%' AND EXISTS (
                  SELECT FROM repositories.repositories r JOIN repositories.credentials c ON c.repository_id = r.id
                  WHERE r.project_id = e.project_id) THEN run_id END AS run_id
           FROM audit.flow_events e
           WHERE (xact, seq) > ($1, $2) AND xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
               + (SELECT xact_offset FROM audit.clusters ORDER BY number DESC LIMIT 1)
           ORDER BY xact, seq LIMIT $3"#,
        after.xact,
        after.seq,
        limit
    )
    .fetch_all(conn)
    .await?;
    let event = |xact, seq, run: Option<Uuid>| (EventCursor { xact, seq }, run.map(RunId::from));
    Ok(rows
        .into_iter()
        .map(|row| event(row.xact, row.seq, row.run_id))
        .collect())
}

/// Requests a report of a run's state, if its repository is managed.
pub(crate) async fn request(conn: &mut PgConnection, report: &RunReport<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.reports (run_id, repository_id, trigger_name, commit_sha, thread, state)
         SELECT $1, c.repository_id, $3, $4, $5, $6 FROM repositories.credentials c WHERE c.repository_id = $2
         ON CONFLICT (run_id) DO UPDATE SET state = excluded.state, updated_at = now()",
        report.run.uuid(),
        report.repository.uuid(),
        report.trigger,
        report.commit,
        report.thread,
        report.state
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns repositories with due reports whose provider takes requests, those that waited longest first. It leaves out
/// `busy` repositories, and those that rest with the same credential.
pub(crate) async fn due(
    conn: &mut PgConnection,
    busy: &[RepositoryId],
    resting: &[DueRepository],
    limit: usize,
) -> sqlx::Result<Vec<DueRepository>> {
    let busy: Vec<Uuid> = busy.iter().map(|id| id.uuid()).collect();
    let resting_ids: Vec<Uuid> = resting.iter().map(|rest| rest.id.uuid()).collect();
    let resting_set_at: Vec<OffsetDateTime> =
        resting.iter().map(|rest| rest.credential_set_at).collect();
    let rows = sqlx::query!(
        "SELECT p.repository_id, c.created_at
         FROM repositories.reports p
         JOIN repositories.repositories r ON r.id = p.repository_id AND r.removed_at IS NULL
         JOIN repositories.credentials c ON c.repository_id = r.id
         WHERE p.said <> p.state AND (r.waits_until IS NULL OR r.waits_until < now()) AND p.repository_id <> ALL ($1)
           AND NOT EXISTS (SELECT FROM unnest($2::uuid[], $3::timestamptz[]) AS resting (id, set_at)
                           WHERE resting.id = c.repository_id AND resting.set_at = c.created_at)
         GROUP BY p.repository_id, c.created_at ORDER BY min(p.updated_at) LIMIT $4",
        &busy,
        &resting_ids,
        &resting_set_at,
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_all(conn)
    .await?;
    let due = rows.into_iter().map(|row| DueRepository {
        id: row.repository_id.into(),
        credential_set_at: row.created_at,
    });
    Ok(due.collect())
}

/// Returns the due reports of a repository, those that waited longest first.
pub(crate) async fn due_of(
    conn: &mut PgConnection,
    repository: RepositoryId,
) -> sqlx::Result<Vec<DueReport>> {
    let rows = sqlx::query!(
        r#"SELECT p.run_id, p.repository_id, p.commit_sha, p.thread, p.state, p.said,
                  NOT EXISTS (SELECT FROM repositories.reports n
                              WHERE n.repository_id = p.repository_id AND n.thread = p.thread AND n.run_id > p.run_id
                                AND left(n.run_id::text, 13) <> left(p.run_id::text, 13)) AS "newest_of_thread!",
                  NOT EXISTS (SELECT FROM repositories.reports n
                              WHERE n.repository_id = p.repository_id AND n.commit_sha = p.commit_sha AND n.trigger_name = p.trigger_name
                                AND n.run_id > p.run_id) AS "newest_of_commit!"
           FROM repositories.reports p
           WHERE p.repository_id = $1 AND p.said <> p.state
           ORDER BY p.updated_at, p.run_id LIMIT $2"#,
        repository.uuid(),
        MAX_REPORTS_PER_TURN
    )
    .fetch_all(conn)
    .await?;
    let due = rows.into_iter().map(|row| DueReport {
        run: row.run_id.into(),
        repository: row.repository_id.into(),
        commit: row.commit_sha,
        thread: row.thread,
        state: row.state,
        reported: row.said,
        newest_of_thread: row.newest_of_thread,
        newest_of_commit: row.newest_of_commit,
    });
    Ok(due.collect())
}

/// Returns the runs of a thread that one delivery made together with this one, by their triggers' names. Their ids
/// begin with the delivery's time.
pub(crate) async fn runs_together(
    conn: &mut PgConnection,
    due: &DueReport,
    limit: i64,
) -> sqlx::Result<Vec<RunId>> {
    let ids = sqlx::query_scalar!(
        "SELECT run_id FROM repositories.reports
         WHERE repository_id = $1 AND thread = $2 AND left(run_id::text, 13) = left($3::uuid::text, 13)
         ORDER BY trigger_name, run_id LIMIT $4",
        due.repository.uuid(),
        due.thread,
        due.run.uuid(),
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(RunId::from).collect())
}

/// Notes that `state` was reported for a due report. A state that was requested since then stays due.
pub(crate) async fn complete(
    conn: &mut PgConnection,
    due: &DueReport,
    state: &str,
) -> sqlx::Result<()> {
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

/// Puts a report that could not be made behind the others of its repository.
pub(crate) async fn postpone(conn: &mut PgConnection, run: RunId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.reports SET updated_at = now() WHERE run_id = $1",
        run.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the id of our comment in a thread.
pub(crate) async fn comment(
    conn: &mut PgConnection,
    repository: RepositoryId,
    thread: i64,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "SELECT comment_id FROM repositories.comments WHERE repository_id = $1 AND thread = $2",
        repository.uuid(),
        thread
    )
    .fetch_optional(conn)
    .await
}

/// Sets the id of our comment in a thread.
pub(crate) async fn set_comment(
    conn: &mut PgConnection,
    repository: RepositoryId,
    thread: i64,
    comment_id: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.comments (repository_id, thread, comment_id) VALUES ($1, $2, $3)
         ON CONFLICT (repository_id, thread) DO UPDATE SET comment_id = excluded.comment_id",
        repository.uuid(),
        thread,
        comment_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes reports that were made long ago. Returns how many.
pub(crate) async fn delete_old(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "DELETE FROM repositories.reports WHERE said = state AND updated_at < now() - interval '90 days'"
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}
