//! Prepares a webhook for storage: verifies it, matches it against the triggers, and compresses its body.
use std::sync::Arc;

use super::{
    envelope::{Envelope, is_large},
    verify::{Verified, Verifier},
};
use crate::domain::{
    delivery::{DeliveryState, NewDelivery},
    delivery_notice::DeliveryNotice,
    event::WriteAccessSource,
    matching,
    payload::{Payload, PayloadBody},
    rejection::Rejection,
    repository::{Claimants, Repository},
    signature::Signature,
    stored_body,
    text::sanitize,
    webhook::Webhook,
};

/// Bounds an action and a login, in characters: they lie in every row, and GitHub's own are far shorter.
const MAX_WORD_CHARS: usize = 200;

/// A genuine webhook, ready to be stored.
pub(super) struct PreparedWebhook {
    pub(super) delivery: NewDelivery,
    /// The notice for the repositories service.
    pub(super) notice: Option<DeliveryNotice>,
}

/// Verifies a webhook, matches it and compresses its body. Works on a large one where it holds up nobody.
pub(super) async fn prepare(
    verifier: &Verifier,
    webhook: &Webhook,
    envelope: Envelope,
    claimants: Arc<Claimants>,
) -> Result<PreparedWebhook, Rejection> {
    if !is_large(webhook) {
        return prepare_now(verifier, webhook, envelope, &claimants);
    }
    let (verifier, webhook) = (verifier.clone(), webhook.clone());
    let work = move || prepare_now(&verifier, &webhook, envelope, &claimants);
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Rejection::Unavailable))
}

fn prepare_now(
    verifier: &Verifier,
    webhook: &Webhook,
    envelope: Envelope,
    claimants: &[Arc<Repository>],
) -> Result<PreparedWebhook, Rejection> {
    let Verified {
        signature,
        repository,
    } = verifier.verify(webhook, envelope, claimants)?;
    let body = PayloadBody::new(&webhook.body[..]);
    let payload = body.payload().map_err(Rejection::BodyNotJson)?;
    let requests = matching::run_requests(repository, &webhook.event, &payload, None);
    let delivery = NewDelivery {
        key: webhook.delivery_key.clone(),
        event: webhook.event.clone(),
        action: sanitize(payload.action.as_str(), MAX_WORD_CHARS),
        sender: sanitize(payload.sender_login(), MAX_WORD_CHARS),
        project_id: repository.map(|repository| repository.project_id),
        repository_id: repository.map(|repository| repository.id),
        state: match requests.runs.is_empty() {
            true => DeliveryState::Ignored,
            false => DeliveryState::RunCreated,
        },
        reason: requests.reason,
        runs: requests.runs,
        size_bytes: i32::try_from(webhook.body.len()).unwrap_or(i32::MAX),
        payload: stored_body::compress(&webhook.body),
    };
    let notice =
        repository.and_then(|repository| notice(webhook, &payload, repository, &signature));
    Ok(PreparedWebhook { delivery, notice })
}

/// Returns the notice of a delivery, if the repositories service needs one.
fn notice(
    webhook: &Webhook,
    payload: &Payload<'_>,
    repository: &Repository,
    signature: &Signature,
) -> Option<DeliveryNotice> {
    let proves_rotation = repository.secrets.proves_rotation(&webhook.body, signature);
    let is_of_interest = matches!(webhook.event.as_str(), "ping" | "push" | "repository");
    let has_credential = matches!(repository.write_access, WriteAccessSource::Provider { .. });
    let branch = payload.git_ref.as_str().strip_prefix("refs/heads/");
    (has_credential && (is_of_interest || proves_rotation)).then(|| DeliveryNotice {
        repository_id: repository.id,
        event: webhook.event.clone(),
        branch: branch.unwrap_or_default().to_owned(),
        proves_rotation,
    })
}

#[cfg(test)]
mod tests;
