//! Gets a delivery, with its body exactly as it came.
use ck8s_rpc::project_access::Access;

use super::deliveries::Deliveries;
use crate::{
    domain::{delivery::Delivery, stored_body},
    error::IngressError,
    store::deliveries,
};

impl Deliveries {
    /// Returns the delivery that has this id at the provider or here, and its raw body.
    pub(crate) async fn get(
        &self,
        access: &Access,
        name: &str,
    ) -> Result<(Delivery, Vec<u8>), IngressError> {
        let delivery = self.find(access, name).await?;
        let mut conn = self.pool.acquire().await?;
        let payload = deliveries::payload(&mut conn, delivery.id).await?;
        let payload = payload.ok_or_else(|| IngressError::NotFound(name.to_owned()))?;
        let body = stored_body::decompress(&payload)
            .map_err(|cause| IngressError::Corrupt(delivery.id, cause))?;
        Ok((delivery, body))
    }
}
