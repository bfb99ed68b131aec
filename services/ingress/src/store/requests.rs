//! Mutating calls that were answered, so that a repeated one does nothing twice; and what is kept no longer.
use ck8s_types::RequestId;
use sqlx::PgConnection;

/// Takes a request id. False: it was taken before.
pub(crate) async fn take(
    conn: &mut PgConnection,
    request: RequestId,
    method: &str,
    response: &[u8],
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO ingress.requests (request_id, method, response) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        request.uuid(),
        method,
        response,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What was answered.
pub(crate) async fn answered(
    conn: &mut PgConnection,
    request: RequestId,
    method: &str,
) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "SELECT response FROM ingress.requests WHERE request_id = $1 AND method = $2",
        request.uuid(),
        method,
    )
    .fetch_optional(conn)
    .await
}

/// Drops requests of more than a week ago. Returns how many.
pub(crate) async fn forget(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let done =
        sqlx::query!("DELETE FROM ingress.requests WHERE created_at < now() - interval '7 days'")
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}

/// Drops keys whose deliveries are gone with their partition: five months back, which is more than deliveries are kept.
pub(crate) async fn forget_keys(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM ingress.delivery_keys WHERE delivery_id < ck8s.uuid_floor(now() - interval '5 months')"
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
