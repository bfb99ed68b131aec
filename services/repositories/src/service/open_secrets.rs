//! Opens secrets of a repository's runs.
use std::collections::HashMap;

use ck8s_types::RepositoryId;
use secrecy::SecretString;

use super::repositories::Repositories;
use crate::{domain::sealed_row::SealedRow, error::Error, store::secrets};

impl Repositories {
    /// Returns the values of those of the named secrets that are set.
    pub(crate) async fn open_secrets(
        &self,
        repository: RepositoryId,
        names: &[String],
    ) -> Result<HashMap<String, SecretString>, Error> {
        let mut conn = self.pool.acquire().await?;
        let sealed = secrets::by_names(&mut conn, repository, names).await?;
        let mut opened = HashMap::with_capacity(sealed.len());
        for (name, sealed) in sealed {
            let row = SealedRow::Secret {
                repository,
                name: &name,
            };
            let value = self.key_ring.open_text(&row.associated_data(), &sealed)?;
            opened.insert(name, value);
        }
        Ok(opened)
    }
}
