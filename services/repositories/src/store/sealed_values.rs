//! Every sealed value in the tables of this service, for sealing them again.
use ck8s_sealing::Sealed;
use ck8s_types::{ProjectId, RepositoryId};
use sqlx::PgConnection;

use crate::domain::sealed_row::{SealedRow, WebhookSecretId};

/// A sealed value, and the row that holds it.
pub(crate) struct SealedValue {
    pub sealed: Sealed,
    owner: Owner,
    /// Set: it is a webhook secret.
    id: Option<WebhookSecretId>,
    /// Set: it is a secret of runs. If neither is set, it is the credential.
    name: Option<String>,
}

/// Whose a sealed value is.
#[derive(Clone, Copy)]
enum Owner {
    Repository(RepositoryId),
    Project(ProjectId),
}

impl SealedValue {
    /// Returns the row that it is sealed for.
    pub(crate) fn row(&self) -> SealedRow<'_> {
        let name = self.name.as_deref();
        let repository = match self.owner {
            Owner::Repository(repository) => repository,
            Owner::Project(project) => {
                let name = name.unwrap_or_default();
                return SealedRow::ProjectSecret { project, name };
            }
        };
        match (self.id, name) {
            (Some(id), _) => SealedRow::WebhookSecret { id, repository },
            (None, Some(name)) => SealedRow::Secret { repository, name },
            (None, None) => SealedRow::Credential { repository },
        }
    }
}

/// Returns some of the values that are sealed under another key than this one.
pub(crate) async fn under_other_keys(
    conn: &mut PgConnection,
    key_id: &str,
    limit: i64,
) -> sqlx::Result<Vec<SealedValue>> {
    let rows = sqlx::query!(
        r#"SELECT owner AS "owner!", is_project AS "is_project!", id, name, sealed AS "sealed!", key_id AS "key_id!" FROM (
            SELECT repository_id AS owner, false AS is_project, id, NULL::text AS name, sealed, key_id
            FROM repositories.webhook_secrets WHERE expires_at IS NULL OR expires_at > now()
            UNION ALL SELECT repository_id, false, NULL, name, sealed, key_id FROM repositories.secrets
            UNION ALL SELECT repository_id, false, NULL, NULL, sealed, key_id FROM repositories.credentials
            UNION ALL SELECT project_id, true, NULL, name, sealed, key_id FROM repositories.project_secrets
         ) AS s WHERE key_id <> $1 LIMIT $2"#,
        key_id,
        limit
    )
    .fetch_all(conn)
    .await?;
    let values = rows.into_iter().map(|row| SealedValue {
        sealed: Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        },
        owner: if row.is_project {
            Owner::Project(row.owner.into())
        } else {
            Owner::Repository(row.owner.into())
        },
        id: row.id.map(WebhookSecretId),
        name: row.name,
    });
    Ok(values.collect())
}

/// Replaces a value in its row, if the row still holds it. Returns whether it did.
pub(crate) async fn replace(
    conn: &mut PgConnection,
    value: &SealedValue,
    after: &Sealed,
) -> sqlx::Result<bool> {
    let done = match value.row() {
        SealedRow::WebhookSecret { id, .. } => {
            sqlx::query!(
                "UPDATE repositories.webhook_secrets SET sealed = $2, key_id = $3 WHERE id = $1 AND sealed = $4",
                id.0,
                after.bytes,
                after.key_id,
                value.sealed.bytes
            )
            .execute(conn)
            .await?
        }
        SealedRow::ProjectSecret { project, name } => {
            sqlx::query!(
                "UPDATE repositories.project_secrets SET sealed = $3, key_id = $4
                 WHERE project_id = $1 AND name = $2 AND sealed = $5",
                project.uuid(),
                name,
                after.bytes,
                after.key_id,
                value.sealed.bytes
            )
            .execute(conn)
            .await?
        }
        SealedRow::Secret { repository, name } => {
            sqlx::query!(
                "UPDATE repositories.secrets SET sealed = $3, key_id = $4
                 WHERE repository_id = $1 AND name = $2 AND sealed = $5",
                repository.uuid(),
                name,
                after.bytes,
                after.key_id,
                value.sealed.bytes
            )
            .execute(conn)
            .await?
        }
        SealedRow::Credential { repository } => {
            sqlx::query!(
                "UPDATE repositories.credentials SET sealed = $2, key_id = $3 WHERE repository_id = $1 AND sealed = $4",
                repository.uuid(),
                after.bytes,
                after.key_id,
                value.sealed.bytes
            )
            .execute(conn)
            .await?
        }
    };
    Ok(done.rows_affected() > 0)
}
