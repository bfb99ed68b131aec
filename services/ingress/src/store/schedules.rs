//! The schedules that were seen, and up to when they were due (`ingress.schedules`).
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::schedule::SeenSchedule;

/// Notes these schedules, which are all that there are, and returns them as the last firing left them. One that is new
/// or was changed begins with its own `last_due`; one that is gone is forgotten.
pub(crate) async fn sync(
    conn: &mut PgConnection,
    known: &[SeenSchedule],
) -> sqlx::Result<Vec<SeenSchedule>> {
    let repositories: Vec<Uuid> = known.iter().map(|s| s.repository_id.uuid()).collect();
    let triggers: Vec<&str> = known.iter().map(|s| s.trigger.as_str()).collect();
    let crons: Vec<&str> = known.iter().map(|s| s.cron.as_str()).collect();
    let timezones: Vec<&str> = known.iter().map(|s| s.timezone.as_str()).collect();
    let last_dues: Vec<OffsetDateTime> = known.iter().map(|s| s.last_due).collect();
    sqlx::query!(
        "WITH known AS (
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
                AS k (repository_id, trigger_name, cron, timezone, last_due)
         ), gone AS (
            DELETE FROM ingress.schedules WHERE (repository_id, trigger_name) NOT IN (SELECT repository_id, trigger_name FROM known)
         )
         INSERT INTO ingress.schedules AS s (repository_id, trigger_name, cron, timezone, last_due)
         SELECT repository_id, trigger_name, cron, timezone, last_due FROM known
         ON CONFLICT (repository_id, trigger_name)
         DO UPDATE SET cron = excluded.cron, timezone = excluded.timezone, last_due = excluded.last_due
         WHERE (s.cron, s.timezone) <> (excluded.cron, excluded.timezone)",
        &repositories,
        &triggers as &[&str],
        &crons as &[&str],
        &timezones as &[&str],
        &last_dues,
    )
    .execute(&mut *conn)
    .await?;
    let rows = sqlx::query!(
        "SELECT repository_id, trigger_name, cron, timezone, last_due FROM ingress.schedules"
    )
    .fetch_all(conn)
    .await?;
    let seen = rows.into_iter().map(|row| SeenSchedule {
        repository_id: row.repository_id.into(),
        trigger: row.trigger_name,
        cron: row.cron,
        timezone: row.timezone,
        last_due: row.last_due,
    });
    Ok(seen.collect())
}

/// Notes that the delivery of a due time exists.
pub(crate) async fn fired(
    conn: &mut PgConnection,
    schedule: &SeenSchedule,
    due: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE ingress.schedules SET last_due = $5
         WHERE repository_id = $1 AND trigger_name = $2 AND cron = $3 AND timezone = $4 AND last_due < $5",
        schedule.repository_id.uuid(),
        schedule.trigger,
        schedule.cron,
        schedule.timezone,
        due,
    )
    .execute(conn)
    .await?;
    Ok(())
}
