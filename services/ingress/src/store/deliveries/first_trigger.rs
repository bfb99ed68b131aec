//! The trigger whose run has the delivery's own id, for deliveries that were stored without it.
use std::collections::HashMap;

use ck8s_types::DeliveryId;
use sqlx::PgConnection;
use uuid::Uuid;

/// Decides which trigger's run has the delivery's own id, where that is not decided yet: the given one. Returns, for
/// each delivery, the trigger that has it now, whoever decided.
pub(crate) async fn decide_first_triggers(
    conn: &mut PgConnection,
    deliveries: &[(DeliveryId, &str)],
) -> sqlx::Result<HashMap<DeliveryId, String>> {
    let ids: Vec<Uuid> = deliveries.iter().map(|(id, _)| id.uuid()).collect();
    let triggers: Vec<&str> = deliveries.iter().map(|(_, trigger)| *trigger).collect();
    let rows = sqlx::query!(
        r#"UPDATE ingress.deliveries AS d SET first_trigger = coalesce(d.first_trigger, n.first_trigger)
         FROM unnest($1::uuid[], $2::text[]) AS n (id, first_trigger)
         WHERE d.id = ANY (ARRAY[n.id])
         RETURNING d.id, d.first_trigger AS "first_trigger!""#,
        &ids,
        &triggers as &[&str],
    )
    .fetch_all(conn)
    .await?;
    let decided = rows.into_iter();
    Ok(decided
        .map(|row| (row.id.into(), row.first_trigger))
        .collect())
}
