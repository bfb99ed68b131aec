//! Checks that the key ring has every key that a sealed value needs.
use ck8s_sealing::OpenError;

use super::repositories::Repositories;
use crate::{error::Error, store::secrets};

impl Repositories {
    /// Fails with the first key that is missing.
    pub(crate) async fn verify_key_ring(&self) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        let known = self.key_ring.ids();
        for id in secrets::key_ids(&mut conn).await? {
            if !known.contains(&id.as_str()) {
                return Err(OpenError::UnknownKey(id).into());
            }
        }
        Ok(())
    }
}
