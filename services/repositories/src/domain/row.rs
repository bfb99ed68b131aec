//! Which rows hold sealed values: a value opens in its own row only.
use ck8s_types::RepositoryId;
use uuid::Uuid;

/// Which row a sealed value belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    /// A row of `repositories.webhook_secrets`.
    WebhookSecret {
        /// The row.
        id: Uuid,
        /// Its repository.
        repository: RepositoryId,
    },
    /// A row of `repositories.credentials`.
    Credential {
        /// Its repository.
        repository: RepositoryId,
    },
    /// A row of `repositories.secrets`.
    Secret {
        /// Its repository.
        repository: RepositoryId,
        /// Its name.
        name: &'a str,
    },
}

impl Row<'_> {
    /// What names the row when a value is sealed for it.
    pub fn associated_data(self) -> Vec<u8> {
        match self {
            Self::WebhookSecret { id, repository } => {
                format!("repositories.webhook_secrets\0{repository}\0{id}")
            }
            Self::Credential { repository } => format!("repositories.credentials\0{repository}"),
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
    fn no_two_rows_have_one_name() {
        let (repository, other) = (RepositoryId::new(), RepositoryId::new());
        let (id, another) = (Uuid::now_v7(), Uuid::now_v7());
        let name = id.to_string();
        let rows = [
            Row::WebhookSecret { id, repository },
            Row::WebhookSecret {
                id: another,
                repository,
            },
            Row::WebhookSecret {
                id,
                repository: other,
            },
            Row::Credential { repository },
            Row::Credential { repository: other },
            Row::Secret {
                repository,
                name: &name,
            },
            Row::Secret {
                repository,
                name: "A",
            },
        ];
        let mut names: Vec<_> = rows.iter().map(|row| row.associated_data()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), rows.len());
    }
}
