//! Deliveries that wait to be handled (`ingress.waiting`), and their outcomes.
use ck8s_types::{DeliveryId, ProjectId, RepositoryId, RunId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::run_id_list::run_id_list;
use crate::domain::delivery::{DeliveryKey, DeliveryOutcome, Postponement, WaitingDelivery};

/// Returns the ids of deliveries that wait and may be tried now, in order, between two ids.
pub(crate) async fn ids(
    conn: &mut PgConnection,
    after: DeliveryId,
    before: DeliveryId,
    limit: i64,
) -> sqlx::Result<Vec<DeliveryId>> {
    let ids = sqlx::query_scalar!(
        "SELECT delivery_id FROM ingress.waiting
         WHERE delivery_id > $1 AND delivery_id < $2 AND (not_before IS NULL OR not_before < now())
         ORDER BY delivery_id LIMIT $3",
        after.uuid(),
        before.uuid(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(DeliveryId::from).collect())
}

/// Reads those of these deliveries that still wait, in order: as many as fit into `max_bytes` of raw bodies, but at
/// least one.
pub(crate) async fn load(
    conn: &mut PgConnection,
    ids: &[DeliveryId],
    max_bytes: i64,
) -> sqlx::Result<Vec<WaitingDelivery>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", delivery_key AS "key!", event AS "event!", repository_id, payload AS "payload!", first_trigger, run_ids
         FROM (
            SELECT id, delivery_key, event, repository_id, payload, first_trigger, run_ids, size_bytes, sum(size_bytes) OVER (ORDER BY id) AS so_far
            FROM ingress.deliveries JOIN ingress.waiting ON delivery_id = id WHERE id = ANY ($1)
         ) AS w
         WHERE so_far <= $2 OR so_far = size_bytes
         ORDER BY id"#,
        &ids,
        max_bytes,
    )
    .fetch_all(conn)
    .await?;
    let waiting = rows.into_iter().map(|row| WaitingDelivery {
        id: row.id.into(),
        key: row.key,
        event: row.event,
        repository_id: row.repository_id.map(RepositoryId::from),
        first_trigger: row.first_trigger,
        run_ids: row.run_ids.into_iter().flatten().map(RunId::from).collect(),
        payload: row.payload,
    });
    Ok(waiting.collect())
}

/// Lets a delivery that was ignored or failed wait again; the runs that it has stay its runs. Returns false if it was
/// neither, or waits already.
pub(crate) async fn reopen(conn: &mut PgConnection, id: DeliveryId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO ingress.waiting (delivery_id, run_ids)
         SELECT id, CASE WHEN run_id IS NOT NULL THEN array_prepend(run_id, more_run_ids) END
         FROM ingress.deliveries WHERE id = $1 AND state IN ('ignored', 'failed') ON CONFLICT DO NOTHING",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the waiting of deliveries that ended as they were stored: their runs exist.
pub(crate) async fn finish(conn: &mut PgConnection, ids: &[DeliveryId]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query!(
        "DELETE FROM ingress.waiting WHERE delivery_id = ANY ($1)",
        &ids
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes why these deliveries go on waiting, until when, and which of their runs exist.
pub(crate) async fn postpone(
    conn: &mut PgConnection,
    postponements: &[Postponement],
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = postponements.iter().map(|p| p.id.uuid()).collect();
    let reasons: Vec<&str> = postponements.iter().map(|p| p.reason.as_str()).collect();
    let untils: Vec<Option<OffsetDateTime>> = postponements.iter().map(|p| p.until).collect();
    let runs = postponements
        .iter()
        .map(|p| run_id_list(p.run_ids.iter().copied()));
    sqlx::query!(
        "UPDATE ingress.waiting AS w SET reason = n.reason, run_ids = coalesce(string_to_array(n.runs, ',')::uuid[], w.run_ids),
             not_before = CASE WHEN n.until IS NOT NULL THEN least(n.until, now() + interval '1 minute') END
         FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[]) AS n (id, reason, until, runs)
         WHERE w.delivery_id = n.id",
        &ids,
        &reasons as &[&str],
        &untils as &[Option<OffsetDateTime>],
        &runs.collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes the outcomes of deliveries that wait and ends their waiting. A delivery that waits no longer stays as it is.
/// Returns the ids of those that were written.
pub(crate) async fn settle(
    conn: &mut PgConnection,
    outcomes: &[DeliveryOutcome],
) -> sqlx::Result<Vec<DeliveryId>> {
    let ids: Vec<Uuid> = outcomes.iter().map(|o| o.id.uuid()).collect();
    let states: Vec<&str> = outcomes.iter().map(|o| o.state.as_str()).collect();
    let reasons: Vec<&str> = outcomes.iter().map(|o| o.reason.as_str()).collect();
    let first = |outcome: &DeliveryOutcome| outcome.run_ids.first().map(|run| run.uuid());
    let runs: Vec<Option<Uuid>> = outcomes.iter().map(first).collect();
    let more_runs = outcomes
        .iter()
        .map(|o| run_id_list(o.run_ids.iter().skip(1).copied()));
    let settled = sqlx::query_scalar!(
        "WITH done AS (
            DELETE FROM ingress.waiting WHERE delivery_id = ANY ($1) RETURNING delivery_id
         )
         UPDATE ingress.deliveries AS d
         SET state = o.state, reason = o.reason, run_id = o.run_id, more_run_ids = string_to_array(o.more_runs, ',')::uuid[],
             handled_at = now()
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[]) AS o (id, state, reason, run_id, more_runs)
         JOIN done ON done.delivery_id = o.id
         WHERE d.id = ANY (ARRAY[o.id])
         RETURNING d.id",
        &ids,
        &states as &[&str],
        &reasons as &[&str],
        &runs as &[Option<Uuid>],
        &more_runs.collect::<Vec<_>>() as &[Option<String>],
    )
    .fetch_all(conn)
    .await?;
    Ok(settled.into_iter().map(DeliveryId::from).collect())
}

/// Lets those of these deliveries that failed wait again: the provider sent them once more. Returns them with their
/// projects.
pub(crate) async fn revive_failed(
    conn: &mut PgConnection,
    keys: &[DeliveryKey],
) -> sqlx::Result<Vec<(DeliveryId, Option<ProjectId>)>> {
    let texts: Vec<&str> = keys.iter().map(|k| k.key.as_str()).collect();
    let repositories: Vec<Option<Uuid>> = keys
        .iter()
        .map(|k| k.repository_id.map(RepositoryId::uuid))
        .collect();
    let rows = sqlx::query!(
        r#"WITH failed AS (
            SELECT d.id, d.project_id, CASE WHEN d.run_id IS NOT NULL THEN array_prepend(d.run_id, d.more_run_ids) END AS run_ids
            FROM unnest($1::text[], $2::uuid[]) AS again (key, repository)
            JOIN ingress.delivery_keys AS k ON k.provider = 'github' AND k.delivery_key = again.key
                AND k.repository_id = coalesce(again.repository, '00000000-0000-0000-0000-000000000000')
            JOIN ingress.deliveries AS d ON d.id = k.delivery_id
            WHERE d.state = 'failed'
         ), waits AS (
            INSERT INTO ingress.waiting (delivery_id, run_ids) SELECT id, run_ids FROM failed ORDER BY id
            ON CONFLICT DO NOTHING RETURNING delivery_id
         )
         SELECT f.id AS "id!", f.project_id FROM failed AS f JOIN waits AS w ON w.delivery_id = f.id"#,
        &texts as &[&str],
        &repositories as &[Option<Uuid>],
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id.into(), row.project_id.map(ProjectId::from)))
        .collect())
}
