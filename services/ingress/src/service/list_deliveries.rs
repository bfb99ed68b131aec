//! Lists deliveries, newest first.
use ck8s_types::DeliveryId;

use super::deliveries::{Deliveries, DeliveryPage};
use crate::{domain::delivery::DeliveryFilter, error::IngressError, store::deliveries};

impl Deliveries {
    /// Returns the page of so many deliveries that follows one; without one, the first page.
    pub(crate) async fn list(
        &self,
        filter: DeliveryFilter,
        after: Option<DeliveryId>,
        size: i64,
    ) -> Result<DeliveryPage, IngressError> {
        let mut conn = self.pool.acquire().await?;
        // One more than the page has: it says whether another page follows.
        let mut page = deliveries::page(&mut conn, filter, after, size + 1).await?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let has_more = page.len() > size;
        page.truncate(size);
        Ok(DeliveryPage {
            next: page.last().filter(|_| has_more).map(|d| d.id),
            deliveries: page,
        })
    }
}
