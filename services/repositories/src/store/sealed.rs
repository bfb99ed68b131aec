//! What lies sealed in this service's tables, to be sealed again.
use ck8s_sealing::Sealed;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::row::Row;

/// Which row a sealed value lies in.
pub struct At {
    repository: Uuid,
    /// Set: a webhook secret's.
    id: Option<Uuid>,
    /// Set: a secret's of runs. Neither: it is the repository's credential.
    name: Option<String>,
}

impl At {
    /// What names it to the key ring.
    pub fn row(&self) -> Row<'_> {
        let repository = self.repository.into();
        match (self.id, self.name.as_deref()) {
            (Some(id), _) => Row::WebhookSecret { id, repository },
            (None, Some(name)) => Row::Secret { repository, name },
            (None, None) => Row::Credential { repository },
        }
    }
}

/// Some of what lies under another key than this one.
pub async fn under_others(
    conn: &mut PgConnection,
    key_id: &str,
    most: i64,
) -> sqlx::Result<Vec<(At, Sealed)>> {
    let rows = sqlx::query!(
        r#"SELECT repository_id AS "repository!", id, name, sealed AS "sealed!", key_id AS "key_id!" FROM (
            SELECT repository_id, id, NULL::text AS name, sealed, key_id FROM repositories.webhook_secrets
            WHERE expires_at IS NULL OR expires_at > now()
            UNION ALL SELECT repository_id, NULL, name, sealed, key_id FROM repositories.secrets
            UNION ALL SELECT repository_id, NULL, NULL, sealed, key_id FROM repositories.credentials
         ) AS s WHERE key_id <> $1 LIMIT $2"#,
        key_id,
        most
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let at = At {
            repository: row.repository,
            id: row.id,
            name: row.name,
        };
        let sealed = Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        };
        (at, sealed)
    });
    Ok(rows.collect())
}

/// Puts a value in its row, if what lies there is still what it was.
pub async fn replace(
    conn: &mut PgConnection,
    at: &At,
    before: &Sealed,
    after: &Sealed,
) -> sqlx::Result<bool> {
    let done = match at.row() {
        Row::WebhookSecret { id, .. } => {
            sqlx::query!(
                "UPDATE repositories.webhook_secrets SET sealed = $2, key_id = $3 WHERE id = $1 AND sealed = $4",
                id,
                after.bytes,
                after.key_id,
                before.bytes
            )
            .execute(conn)
            .await?
        }
        Row::Secret { name, .. } => {
            sqlx::query!(
                "UPDATE repositories.secrets SET sealed = $3, key_id = $4
                 WHERE repository_id = $1 AND name = $2 AND sealed = $5",
                at.repository,
                name,
                after.bytes,
                after.key_id,
                before.bytes
            )
            .execute(conn)
            .await?
        }
        Row::Credential { .. } => {
            sqlx::query!(
                "UPDATE repositories.credentials SET sealed = $2, key_id = $3 WHERE repository_id = $1 AND sealed = $4",
                at.repository,
                after.bytes,
                after.key_id,
                before.bytes
            )
            .execute(conn)
            .await?
        }
    };
    Ok(done.rows_affected() > 0)
}
