//! Opens secrets of a repository's runs. Here it is decided which run is given which secret.
use std::collections::HashMap;

use ck8s_types::RepositoryId;
use secrecy::SecretString;

use super::repositories::Repositories;
use crate::{
    domain::{run_secret::RunOrigin, sealed_row::SealedRow},
    error::Error,
    store::secrets,
};

/// The secrets that a run asks for.
pub(crate) struct OpenSecrets {
    pub repository: RepositoryId,
    pub names: Vec<String>,
    pub origin: RunOrigin,
}

/// Opened secrets. What is neither here nor withheld is not set.
#[derive(Default)]
pub(crate) struct OpenedSecrets {
    pub values: HashMap<String, SecretString>,
    /// The names of those that are bound to other triggers.
    pub withheld: Vec<String>,
}

impl Repositories {
    /// Returns the values of those of the named secrets that are set, for the repository or else for its project, and
    /// that runs of this origin are given.
    pub(crate) async fn open_secrets(&self, open: OpenSecrets) -> Result<OpenedSecrets, Error> {
        let repository = open.repository;
        let mut conn = self.pool.acquire().await?;
        let sealed = secrets::by_names(&mut conn, repository, &open.names).await?;
        let mut opened = OpenedSecrets::default();
        for secret in sealed {
            if !secret.binding.admits(&open.origin) {
                opened.withheld.push(secret.name);
                continue;
            }
            let name = secret.name.as_str();
            let row = match secret.project {
                Some(project) => SealedRow::ProjectSecret { project, name },
                None => SealedRow::Secret { repository, name },
            };
            let value = self
                .key_ring
                .open_text(&row.associated_data(), &secret.sealed)?;
            opened.values.insert(secret.name, value);
        }
        Ok(opened)
    }
}
