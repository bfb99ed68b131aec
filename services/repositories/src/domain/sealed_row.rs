//! The rows that hold sealed values: a value opens only in its own row.
use std::fmt;

use ck8s_types::{ProjectId, RepositoryId};
use uuid::Uuid;

/// A webhook secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WebhookSecretId(pub Uuid);

impl WebhookSecretId {
    /// Returns a fresh id.
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for WebhookSecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The row that a sealed value belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SealedRow<'a> {
    /// A row of `repositories.webhook_secrets`.
    WebhookSecret {
        /// The row.
        id: WebhookSecretId,
        /// Its repository.
        repository: RepositoryId,
    },
    /// A row of `repositories.credentials`.
    Credential {
        /// Its repository.
        repository: RepositoryId,
    },
    /// A row of `repositories.project_secrets`.
    ProjectSecret {
        /// Its project.
        project: ProjectId,
        /// Its name.
        name: &'a str,
    },
    /// A row of `repositories.secrets`.
    Secret {
        /// Its repository.
        repository: RepositoryId,
        /// Its name.
        name: &'a str,
    },
}

impl SealedRow<'_> {
    /// Returns what names the row when a value is sealed for it.
    pub(crate) fn associated_data(self) -> Vec<u8> {
        match self {
            Self::WebhookSecret { id, repository } => {
                format!("repositories.webhook_secrets\0{repository}\0{id}")
            }
            Self::Credential { repository } => format!("repositories.credentials\0{repository}"),
            Self::ProjectSecret { project, name } => {
                format!("repositories.project_secrets\0{project}\0{name}")
            }
            Self::Secret { repository, name } => {
                format!("repositories.secrets\0{repository}\0{name}")
            }
        }
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_share_a_name() {
        let (repository, other) = (RepositoryId::new(), RepositoryId::new());
        let (id, another) = (WebhookSecretId::new(), WebhookSecretId::new());
        let name = id.to_string();
        let rows = [
            SealedRow::WebhookSecret { id, repository },
            SealedRow::WebhookSecret {
                id: another,
                repository,
            },
            SealedRow::WebhookSecret {
                id,
                repository: other,
            },
            SealedRow::Credential { repository },
            SealedRow::Credential { repository: other },
            SealedRow::Secret {
                repository,
                name: &name,
            },
            SealedRow::Secret {
                repository,
                name: "A",
            },
            SealedRow::ProjectSecret {
                project: ProjectId::from(repository.uuid()),
                name: "A",
            },
        ];
        let mut names: Vec<_> = rows.iter().map(|row| row.associated_data()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), rows.len());
    }
}
