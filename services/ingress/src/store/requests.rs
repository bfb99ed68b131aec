//! The requests that were answered (`ingress.requests`), so that a repeated call does nothing twice.
use ck8s_types::RequestId;
use sqlx::PgConnection;

/// Takes a request id, with what is answered to it. Returns false if it was taken before.
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

/// Returns what was answered to a request.
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

/// Deletes requests that are older than a week, and returns how many.
pub(crate) async fn delete_old(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let done =
        sqlx::query!("DELETE FROM ingress.requests WHERE created_at < now() - interval '7 days'")
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}
