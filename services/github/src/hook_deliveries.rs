//! Deliveries of webhooks: listing the attempts, and asking for another one.
use ck8s_provider::{Credential, DeliveryAttempt, ProviderError, Remote};
use http::Method;
use time::OffsetDateTime;

use crate::{client::GitHub, models, operations, path, request::Request};

/// The most pages that are read, of a hundred attempts each. GitHub keeps attempts for some days.
const MAX_PAGES: usize = 100;

impl From<models::Delivery> for DeliveryAttempt {
    fn from(delivery: models::Delivery) -> Self {
        Self {
            id: delivery.id.to_string(),
            delivery_id: delivery.guid,
            event: delivery.event,
            at: delivery.delivered_at,
            succeeded: (200..300).contains(&delivery.status_code),
            status: delivery.status,
        }
    }
}

impl GitHub {
    /// Returns the newest attempt first. A page leads to the next one by a cursor, so attempts that are made meanwhile
    /// hide none.
    pub(crate) async fn list_delivery_attempts(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        since: OffsetDateTime,
    ) -> Result<Vec<DeliveryAttempt>, ProviderError> {
        let path = format!("{}?per_page=100", deliveries_path(repository, hook_id)?);
        let (mut attempts, mut next) = (Vec::new(), Some(path));
        for _ in 0..MAX_PAGES {
            let Some(path) = next else {
                return Ok(attempts);
            };
            let request = Request::get(path, operations::LIST_DELIVERIES);
            let response = self.send_to(credential, repository, request).await?;
            let page = response.success()?;
            let deliveries: Vec<models::Delivery> = page.json()?;
            let is_last = deliveries.iter().any(|one| one.delivered_at < since);
            let wanted = deliveries
                .into_iter()
                .filter(|delivery| delivery.delivered_at >= since);
            attempts.extend(wanted.map(DeliveryAttempt::from));
            next = if is_last {
                None
            } else {
                self.next_page(&page)?
            };
        }
        tracing::warn!(
            "a webhook has more delivery attempts than are read: the oldest are left out"
        );
        Ok(attempts)
    }

    pub(crate) async fn redeliver(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        attempt_id: &str,
    ) -> Result<(), ProviderError> {
        let deliveries = deliveries_path(repository, hook_id)?;
        let path = format!("{deliveries}/{}/attempts", path::segment(attempt_id));
        let request = Request::new(Method::POST, path, operations::REDELIVER);
        let response = self.send_to(credential, repository, request).await?;
        response.success().map(|_| ())
    }
}

fn deliveries_path(repository: &Remote, hook_id: &str) -> Result<String, ProviderError> {
    let repository = path::repository(&repository.full_name)?;
    let hook = path::segment(hook_id);
    Ok(format!("{repository}/hooks/{hook}/deliveries"))
}
