//! Answers of mutating calls by their request id, so that a repeated call gets the same answer. Never holds a secret.
use ck8s_types::RequestId;
use prost::Message;
use sqlx::PgConnection;

use crate::error::Error;

/// The answer that a call with this id got, if any. Another call with the same id waits here until this transaction ends.
pub async fn answered<M: Message + Default>(
    conn: &mut PgConnection,
    request: Option<RequestId>,
    method: &str,
) -> Result<Option<M>, Error> {
    let Some(request) = request else {
        return Ok(None);
    };
    let id = request.uuid();
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('repositories.requests' || $1::text, 0))",
        id.to_string()
    )
    .fetch_one(&mut *conn)
    .await?;
    let row = sqlx::query!(
        "SELECT method, response FROM repositories.requests WHERE request_id = $1",
        id
    )
    .fetch_optional(conn)
    .await?;
    match row {
        None => Ok(None),
        Some(row) if row.method == method => Ok(Some(M::decode(row.response.as_slice())?)),
        Some(_) => Err(Error::RequestIdReused(request)),
    }
}

/// Remembers the answer, in the transaction of the change.
pub async fn remember<M: Message>(
    conn: &mut PgConnection,
    request: Option<RequestId>,
    method: &str,
    answer: &M,
) -> sqlx::Result<()> {
    let Some(request) = request else {
        return Ok(());
    };
    sqlx::query!(
        "INSERT INTO repositories.requests (request_id, method, response) VALUES ($1, $2, $3)",
        request.uuid(),
        method,
        answer.encode_to_vec()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets answers that nobody repeats any more.
pub async fn sweep(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM repositories.requests WHERE created_at < now() - interval '7 days'")
        .execute(conn)
        .await?;
    Ok(())
}
