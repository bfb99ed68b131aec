//! Is a webhook genuine: which secrets can have signed it, and did one of them.
use ck8s_types::now_ms;
use secrecy::{ExposeSecret, SecretString};

use super::envelope::Envelope;
use crate::domain::{
    rejection::Rejection,
    repository::Repository,
    signature::{Signature, WebhookSecret},
    webhook::Webhook,
};

/// Verifies webhooks; a clone is the same.
#[derive(Clone)]
pub(crate) struct Verifier {
    /// Signs the events that come without a repository.
    platform: Option<WebhookSecret>,
    /// Nobody knows it. Where there is no secret to check against, this one is checked, so that the rejection takes as
    /// long.
    decoy: WebhookSecret,
}

impl Verifier {
    pub(crate) fn new(platform: Option<&SecretString>) -> Self {
        Self {
            platform: platform.map(|secret| WebhookSecret::new(secret.expose_secret().as_bytes())),
            decoy: WebhookSecret::new(uuid::Uuid::new_v4().as_bytes()),
        }
    }

    /// Returns the signature of a genuine webhook.
    pub(super) fn verify(
        &self,
        webhook: &Webhook,
        envelope: Envelope,
        repository: Option<&Repository>,
    ) -> Result<Signature, Rejection> {
        let body = &webhook.body;
        // A malformed signature is checked as well, so that its rejection takes as long.
        let signature = envelope.signature.unwrap_or_default();
        let is_genuine = match (repository, &self.platform, envelope.repository_id) {
            (Some(repository), _, _) => repository.secrets.verify(body, &signature, now_ms()),
            (None, Some(platform), None) => platform.verify(body, &signature),
            _ => {
                std::hint::black_box(self.decoy.verify(body, &signature));
                false
            }
        };
        envelope
            .signature
            .filter(|_| is_genuine)
            .ok_or(Rejection::SignatureInvalid)
    }
}
