//! Answers of mutating calls, so that a repeated one gets the same.
use ck8s_types::RequestId;
use sqlx::PgConnection;

use crate::error::AuthError;

/// Whether a call is the first with its request id.
pub(crate) enum Claim {
    /// It is; its transaction now holds the id.
    First,
    /// It was answered like this.
    Answered(Vec<u8>),
}

/// Claims a request id for this transaction. Waits for one that holds it.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    request_id: RequestId,
    method: &str,
) -> Result<Claim, AuthError> {
    let claimed = sqlx::query!(
        "INSERT INTO auth.requests (request_id, method, response) VALUES ($1, $2, '') ON CONFLICT DO NOTHING",
        request_id.uuid(),
        method,
    )
    .execute(&mut *conn)
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(Claim::First);
    }
    let kept = sqlx::query!(
        "SELECT method, response FROM auth.requests WHERE request_id = $1",
        request_id.uuid(),
    )
    .fetch_one(conn)
    .await?;
    if kept.method == method {
        Ok(Claim::Answered(kept.response))
    } else {
        Err(AuthError::RequestIdReused)
    }
}

/// Keeps the answer of a claimed id.
pub(crate) async fn answer(
    conn: &mut PgConnection,
    request_id: RequestId,
    response: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE auth.requests SET response = $2 WHERE request_id = $1",
        request_id.uuid(),
        response,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets answers that nobody repeats any more.
pub(crate) async fn sweep(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM auth.requests WHERE created_at < now() - interval '7 days'")
        .execute(conn)
        .await?;
    Ok(())
}
