//! Stores new deliveries, many in one statement. This is the hot path.
use std::collections::HashSet;

use ck8s_types::{DeliveryId, ProjectId, RepositoryId, RunId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        delivery::{DeliveryState, NewDelivery},
        run_request::RunRequest,
    },
    store::run_id_list::run_id_list,
};

/// Stores those deliveries whose key is new to their repository, in one statement, under the given ids. Returns the ids
/// of these.
///
/// The rows must be sorted by key and repository: two such statements at once then wait for each other and never
/// deadlock.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    rows: &[(DeliveryId, &NewDelivery)],
) -> sqlx::Result<HashSet<DeliveryId>> {
    fn column<'a, T>(
        rows: &'a [(DeliveryId, &NewDelivery)],
        of: impl Fn(&'a NewDelivery) -> T,
    ) -> Vec<T> {
        rows.iter().map(|(_, row)| of(row)).collect()
    }
    let ids: Vec<Uuid> = rows.iter().map(|(id, _)| id.uuid()).collect();
    let run = |(id, row): &(DeliveryId, &NewDelivery)| {
        (row.state == DeliveryState::RunCreated).then(|| RunId::of_delivery(*id).uuid())
    };
    let stored = sqlx::query_scalar!(
        r#"WITH fresh AS (
            INSERT INTO ingress.delivery_keys (provider, delivery_key, repository_id, delivery_id)
            SELECT 'github', key, coalesce(repository, '00000000-0000-0000-0000-000000000000'), id
            FROM unnest($1::uuid[], $2::text[], $7::uuid[]) AS k (id, key, repository)
            ON CONFLICT DO NOTHING
            RETURNING delivery_id
        ), stored AS (
            INSERT INTO ingress.deliveries
                (id, provider, delivery_key, event, action, sender, project_id, repository_id, state, reason, run_id, handled_at,
                size_bytes, payload, first_trigger, more_run_ids)
            SELECT id, 'github', key, event, action, sender, project_id, repository_id, state, reason, run_id, now(), size_bytes, payload,
                first_trigger, string_to_array(more_runs, ',')::uuid[]
            FROM unnest(
                $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
                $10::uuid[], $11::int[], $12::bytea[], $13::text[], $14::text[]
            ) AS d (
                id, key, event, action, sender, project_id, repository_id, state, reason, run_id, size_bytes, payload,
                first_trigger, more_runs
            )
            WHERE id = ANY (ARRAY(SELECT delivery_id FROM fresh))
            RETURNING id, run_id
        ), waits AS (
            INSERT INTO ingress.waiting (delivery_id) SELECT id FROM stored WHERE run_id IS NOT NULL
        )
        SELECT id AS "id!" FROM stored"#,
        &ids,
        &column(rows, |row| row.key.as_str()) as &[&str],
        &column(rows, |row| row.event.as_str()) as &[&str],
        &column(rows, |row| row.action.as_str()) as &[&str],
        &column(rows, |row| row.sender.as_str()) as &[&str],
        &column(rows, |row| row.project_id.map(ProjectId::uuid)) as &[Option<Uuid>],
        &column(rows, |row| row.repository_id.map(RepositoryId::uuid)) as &[Option<Uuid>],
        &column(rows, |row| row.state.as_str()) as &[&str],
        &column(rows, |row| row.reason.as_str()) as &[&str],
        &rows.iter().map(run).collect::<Vec<_>>() as &[Option<Uuid>],
        &column(rows, |row| row.size_bytes),
        &column(rows, |row| row.payload.as_slice()) as &[&[u8]],
        &column(rows, |row| row.runs.first().map(RunRequest::trigger)) as &[Option<&str>],
        &rows.iter().map(more_runs).collect::<Vec<_>>() as &[Option<String>],
    )
    .fetch_all(conn)
    .await?;
    Ok(stored.into_iter().map(DeliveryId::from).collect())
}

/// Returns the ids of the runs that a delivery asks for but the first, as text; none: it asks for no more than one.
fn more_runs((id, row): &(DeliveryId, &NewDelivery)) -> Option<String> {
    let more = row.runs.get(1..)?;
    run_id_list(more.iter().map(|run| run.run_id(*id)))
}
