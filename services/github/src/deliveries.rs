//! What a webhook has tried to deliver, and trying again.
use ck8s_provider::{Credential, HookAttempt, ProviderError, Remote};
use http::Method;
use time::OffsetDateTime;

use crate::{
    GitHub,
    ask::{Ask, Scope, part},
    needs,
    repositories::path,
    wire,
};

/// GitHub keeps deliveries for some days; so many pages of a hundred are looked at.
const MOST: usize = 100;

impl From<wire::Delivery> for HookAttempt {
    fn from(delivery: wire::Delivery) -> Self {
        Self {
            id: delivery.id.to_string(),
            delivery_id: delivery.guid,
            event: delivery.event,
            at: delivery.delivered_at,
            succeeded: (200..300).contains(&delivery.status_code),
            answer: delivery.status,
        }
    }
}

impl GitHub {
    /// Newest first. A page leads to the next by a cursor, so what comes in between hides nothing.
    pub(crate) async fn attempts(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        since: OffsetDateTime,
    ) -> Result<Vec<HookAttempt>, ProviderError> {
        let path = path(&repository.full_name)?;
        let path = format!("{path}/hooks/{}/deliveries?per_page=100", part(hook_id));
        let scope = Scope::Id(&repository.external_id);
        let (mut attempts, mut next) = (Vec::new(), Some(path));
        for _ in 0..MOST {
            let Some(path) = next else {
                return Ok(attempts);
            };
            let ask = Ask::get(path, needs::DELIVERIES);
            let page = self.ask(credential, scope, ask).await?;
            let page = page.good(needs::DELIVERIES)?;
            let all: Vec<wire::Delivery> = page.read()?;
            let older = all.iter().any(|delivery| delivery.delivered_at < since);
            let newer = all
                .into_iter()
                .filter(|delivery| delivery.delivered_at >= since);
            attempts.extend(newer.map(HookAttempt::from));
            next = if older { None } else { self.next(&page) };
        }
        tracing::warn!("a webhook has more deliveries than are looked at: the oldest are not");
        Ok(attempts)
    }

    pub(crate) async fn deliver_again(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        attempt_id: &str,
    ) -> Result<(), ProviderError> {
        let path = path(&repository.full_name)?;
        let (hook, attempt) = (part(hook_id), part(attempt_id));
        let path = format!("{path}/hooks/{hook}/deliveries/{attempt}/attempts");
        let ask = Ask::new(Method::POST, path, needs::REDELIVER);
        let scope = Scope::Id(&repository.external_id);
        let answer = self.ask(credential, scope, ask).await?;
        answer.good(needs::REDELIVER).map(|_| ())
    }
}
