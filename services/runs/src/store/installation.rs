//! The id of the installation, made once for each database.
use ck8s_types::InstallationId;
use sqlx::PgConnection;

/// Returns the installation's id. The first server that starts makes it.
pub(crate) async fn ensure(conn: &mut PgConnection) -> sqlx::Result<InstallationId> {
    let id = InstallationId::new();
    sqlx::query!(
        "INSERT INTO runs.installation (id) VALUES ($1) ON CONFLICT DO NOTHING",
        id.uuid()
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar!("SELECT id FROM runs.installation")
        .fetch_one(conn)
        .await
        .map(InstallationId::from)
}
