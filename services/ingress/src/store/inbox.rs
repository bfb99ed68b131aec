//! The hot path: deliveries in, many in one statement; and what became of them, likewise.
use std::collections::HashSet;

use ck8s_types::{DeliveryId, RunId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::deliveries::State;

/// A delivery to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewDelivery {
    /// The provider's id.
    pub(crate) key: String,
    pub(crate) event: String,
    pub(crate) action: String,
    pub(crate) sender: String,
    pub(crate) project_id: Option<Uuid>,
    pub(crate) repository_id: Option<Uuid>,
    /// What it is going to be: ignored, which it is at once; or `run_created`, and it waits until it is.
    pub(crate) state: State,
    pub(crate) reason: String,
    /// Of the raw body.
    pub(crate) size_bytes: i32,
    /// The raw body, LZ4 with its length in front.
    pub(crate) payload: Vec<u8>,
}

/// Stores deliveries with their ids, in one statement: those whose key is new. Returns the ids of these.
///
/// Give them sorted by key: two such statements at once then wait for each other and never deadlock.
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
        (row.state == State::RunCreated).then(|| RunId::of_delivery(*id).uuid())
    };
    let stored = sqlx::query_scalar!(
        r#"WITH fresh AS (
            INSERT INTO ingress.delivery_keys (provider, delivery_key, delivery_id)
            SELECT 'github', key, id FROM unnest($1::uuid[], $2::text[]) AS k (id, key)
            ON CONFLICT DO NOTHING
            RETURNING delivery_id
        ), stored AS (
            INSERT INTO ingress.deliveries
                (id, provider, delivery_key, event, action, sender, project_id, repository_id, state, reason, run_id, handled_at,
                size_bytes, payload)
            SELECT id, 'github', key, event, action, sender, project_id, repository_id, state, reason, run_id, now(), size_bytes, payload
            FROM unnest(
                $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
                $10::uuid[], $11::int[], $12::bytea[]
            ) AS d (id, key, event, action, sender, project_id, repository_id, state, reason, run_id, size_bytes, payload)
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
        &column(rows, |row| row.project_id) as &[Option<Uuid>],
        &column(rows, |row| row.repository_id) as &[Option<Uuid>],
        &column(rows, |row| row.state.as_str()) as &[&str],
        &column(rows, |row| row.reason.as_str()) as &[&str],
        &rows.iter().map(run).collect::<Vec<_>>() as &[Option<Uuid>],
        &column(rows, |row| row.size_bytes),
        &column(rows, |row| row.payload.as_slice()) as &[&[u8]],
    )
    .fetch_all(conn)
    .await?;
    Ok(stored.into_iter().map(DeliveryId::from).collect())
}

/// What became of a delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) id: DeliveryId,
    pub(crate) state: State,
    pub(crate) reason: String,
    pub(crate) run_id: Option<RunId>,
}

/// These made the runs that they were stored with: they wait no longer.
pub(crate) async fn made(conn: &mut PgConnection, ids: &[DeliveryId]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query!(
        "DELETE FROM ingress.waiting WHERE delivery_id = ANY ($1)",
        &ids
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a delivery waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wait {
    pub(crate) id: DeliveryId,
    /// In words.
    pub(crate) reason: String,
    /// Nobody tries before, but once a minute: there may be another credential.
    pub(crate) until: Option<OffsetDateTime>,
}

/// Says what these wait for.
pub(crate) async fn wait_for(conn: &mut PgConnection, waits: &[Wait]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = waits.iter().map(|wait| wait.id.uuid()).collect();
    let reasons: Vec<&str> = waits.iter().map(|wait| wait.reason.as_str()).collect();
    let untils: Vec<Option<OffsetDateTime>> = waits.iter().map(|wait| wait.until).collect();
    sqlx::query!(
        "UPDATE ingress.waiting AS w SET reason = n.reason, 
             not_before = CASE WHEN n.until IS NOT NULL THEN least(n.until, now() + interval '1 minute') END
         FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS n (id, reason, until)
         WHERE w.delivery_id = n.id",
        &ids,
        &reasons as &[&str],
        &untils as &[Option<OffsetDateTime>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what became of deliveries that wait; one that was settled meanwhile stays as it is. Returns those that were written.
pub(crate) async fn settle(
    conn: &mut PgConnection,
    outcomes: &[Outcome],
) -> sqlx::Result<Vec<DeliveryId>> {
    let ids: Vec<Uuid> = outcomes.iter().map(|o| o.id.uuid()).collect();
    let states: Vec<&str> = outcomes.iter().map(|o| o.state.as_str()).collect();
    let reasons: Vec<&str> = outcomes.iter().map(|o| o.reason.as_str()).collect();
    let runs: Vec<Option<Uuid>> = outcomes.iter().map(|o| o.run_id.map(RunId::uuid)).collect();
    let settled = sqlx::query_scalar!(
        "WITH done AS (
            DELETE FROM ingress.waiting WHERE delivery_id = ANY ($1) RETURNING delivery_id
         )
         UPDATE ingress.deliveries AS d
         SET state = o.state, reason = o.reason, run_id = o.run_id, handled_at = now()
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS o (id, state, reason, run_id)
         JOIN done ON done.delivery_id = o.id
         WHERE d.id = ANY (ARRAY[o.id])
         RETURNING d.id",
        &ids,
        &states as &[&str],
        &reasons as &[&str],
        &runs as &[Option<Uuid>],
    )
    .fetch_all(conn)
    .await?;
    Ok(settled.into_iter().map(DeliveryId::from).collect())
}

/// Of these keys, the deliveries that failed wait again: they came once more. Returns them with their projects.
pub(crate) async fn revive_failed(
    conn: &mut PgConnection,
    keys: &[&str],
) -> sqlx::Result<Vec<(DeliveryId, Option<Uuid>)>> {
    let rows = sqlx::query!(
        r#"WITH failed AS (
            SELECT d.id, d.project_id FROM ingress.delivery_keys AS k JOIN ingress.deliveries AS d ON d.id = k.delivery_id
            WHERE k.provider = 'github' AND k.delivery_key = ANY ($1) AND d.state = 'failed'
         ), waits AS (
            INSERT INTO ingress.waiting (delivery_id) SELECT id FROM failed ORDER BY id ON CONFLICT DO NOTHING RETURNING delivery_id
         )
         SELECT f.id AS "id!", f.project_id FROM failed AS f JOIN waits AS w ON w.delivery_id = f.id"#,
        keys as &[&str],
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id.into(), row.project_id))
        .collect())
}
