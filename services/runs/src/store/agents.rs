//! What agents do and leave behind. Only an attempt that holds its lease changes anything.
use ck8s_types::{ActivityKind, OutcomeKind, RunId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    domain::{Activity, ActivityPlace, AgentOutcome, AgentProgress, AgentReport, Attempt, Usage},
    error::RunsError,
};

/// Stores activities; those that are stored already stay as they are. Returns false if the attempt holds no lease.
pub(crate) async fn append(
    conn: &mut PgConnection,
    attempt: Attempt,
    activities: &[Activity],
) -> sqlx::Result<bool> {
    let number = |f: fn(&Activity) -> i64| activities.iter().map(f).collect::<Vec<_>>();
    sqlx::query_scalar!(
        r#"
        WITH lease AS (
            SELECT FROM runs.leases l WHERE l.run_id = ANY(ARRAY[$1::uuid]) AND l.attempt + 0 = $2
        ), stored AS (
            INSERT INTO runs.activities (run_id, attempt, sequence, kind, title, text, happened_at, duration_ms, exit_code, failed)
            SELECT $1, $2, i.sequence, i.kind, i.title, i.text, i.happened_at, i.duration_ms, i.exit_code, i.failed
            FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::bigint[], $9::int[], $10::bool[])
                AS i(sequence, kind, title, text, happened_at, duration_ms, exit_code, failed)
            WHERE EXISTS (SELECT FROM lease)
            ON CONFLICT DO NOTHING
        )
        SELECT EXISTS (SELECT FROM lease) AS "held!"
        "#,
        attempt.run.uuid(),
        attempt.number,
        &number(|a| a.place.sequence),
        &activities.iter().map(|a| a.kind.as_str()).collect::<Vec<_>>() as &[&str],
        &activities.iter().map(|a| a.title.as_str()).collect::<Vec<_>>() as &[&str],
        &activities.iter().map(|a| a.text.as_str()).collect::<Vec<_>>() as &[&str],
        &activities.iter().map(|a| a.happened_at).collect::<Vec<OffsetDateTime>>(),
        &number(|a| a.duration_ms),
        &activities.iter().map(|a| a.exit_code).collect::<Vec<_>>() as &[Option<i32>],
        &activities.iter().map(|a| a.failed).collect::<Vec<_>>(),
    )
    .fetch_one(conn)
    .await
}

/// Stores what is new in a report: usage, session and model.
pub(crate) async fn update_report(
    conn: &mut PgConnection,
    attempt: Attempt,
    progress: &AgentProgress,
) -> Result<(), RunsError> {
    let usage = progress.usage.as_ref().map(serde_json::to_string);
    sqlx::query!(
        "INSERT INTO runs.agent_reports AS r (run_id, attempt, usage, session_id, model) VALUES ($1, $2, $3::text::json, $4, $5)
         ON CONFLICT (run_id, attempt) DO UPDATE SET usage = coalesce(excluded.usage, r.usage), updated_at = now(),
             session_id = coalesce(nullif(excluded.session_id, ''), r.session_id), model = coalesce(nullif(excluded.model, ''), r.model)",
        attempt.run.uuid(),
        attempt.number,
        usage.transpose()?,
        progress.session_id,
        progress.model,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores what an attempt left; the last word counts. Returns false if the attempt holds no lease.
pub(crate) async fn set_outcome(
    conn: &mut PgConnection,
    attempt: Attempt,
    outcome: &AgentOutcome,
) -> Result<bool, RunsError> {
    let held = sqlx::query!(
        "UPDATE runs.leases l SET no_change = $3 WHERE l.run_id = ANY(ARRAY[$1::uuid]) AND l.attempt + 0 = $2",
        attempt.run.uuid(),
        attempt.number,
        outcome.kind == OutcomeKind::NoChange,
    )
    .execute(&mut *conn)
    .await?;
    if held.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO runs.agent_reports (run_id, attempt, outcome) VALUES ($1, $2, $3::text::json)
         ON CONFLICT (run_id, attempt) DO UPDATE SET outcome = excluded.outcome, updated_at = now()",
        attempt.run.uuid(),
        attempt.number,
        serde_json::to_string(outcome)?,
    )
    .execute(conn)
    .await?;
    Ok(true)
}

/// Keeps the prompt of an attempt, unless one is kept. Returns the one that is kept.
pub(crate) async fn keep_prompt(
    conn: &mut PgConnection,
    attempt: Attempt,
    prompt: &str,
) -> sqlx::Result<String> {
    sqlx::query_scalar!(
        r#"INSERT INTO runs.agent_reports AS r (run_id, attempt, prompt) VALUES ($1, $2, $3)
           ON CONFLICT (run_id, attempt) DO UPDATE SET prompt = coalesce(r.prompt, excluded.prompt)
           RETURNING prompt AS "prompt!""#,
        attempt.run.uuid(),
        attempt.number,
        prompt,
    )
    .fetch_one(conn)
    .await
}

/// Returns the prompt of an attempt; none: none is kept.
pub(crate) async fn prompt(
    conn: &mut PgConnection,
    attempt: Attempt,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "SELECT prompt FROM runs.agent_reports WHERE run_id = $1 AND attempt = $2",
        attempt.run.uuid(),
        attempt.number,
    )
    .fetch_optional(conn)
    .await
    .map(Option::flatten)
}

/// Returns the report of a run's newest attempt that has one.
pub(crate) async fn report(
    conn: &mut PgConnection,
    run: RunId,
) -> Result<Option<AgentReport>, RunsError> {
    let row = sqlx::query!(
        r#"SELECT attempt, session_id, model, usage::text AS usage, outcome::text AS outcome,
               (SELECT count(*) FROM runs.activities a WHERE a.run_id = $1) AS "activities!"
           FROM runs.agent_reports WHERE run_id = $1 ORDER BY attempt DESC LIMIT 1"#,
        run.uuid()
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let usage: Option<Usage> = row.usage.as_deref().map(serde_json::from_str).transpose()?;
    let outcome: Option<AgentOutcome> = row
        .outcome
        .as_deref()
        .map(serde_json::from_str)
        .transpose()?;
    Ok(Some(AgentReport {
        attempt: row.attempt,
        session_id: row.session_id,
        model: row.model,
        usage,
        outcome,
        activities: row.activities,
    }))
}

/// Returns the activities of a run after a place, in order.
pub(crate) async fn activities(
    conn: &mut PgConnection,
    run: RunId,
    after: ActivityPlace,
    limit: i64,
) -> Result<Vec<Activity>, RunsError> {
    let rows = sqlx::query!(
        "SELECT attempt, sequence, kind, title, text, happened_at, duration_ms, exit_code, failed FROM runs.activities
         WHERE run_id = $1 AND (attempt, sequence) > ($2, $3) ORDER BY attempt, sequence LIMIT $4",
        run.uuid(),
        after.attempt,
        after.sequence,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|r| {
            Ok(Activity {
                place: ActivityPlace {
                    attempt: r.attempt,
                    sequence: r.sequence,
                },
                kind: r.kind.parse::<ActivityKind>()?,
                title: r.title,
                text: r.text,
                happened_at: r.happened_at,
                duration_ms: r.duration_ms,
                exit_code: r.exit_code,
                failed: r.failed,
            })
        })
        .collect()
}
