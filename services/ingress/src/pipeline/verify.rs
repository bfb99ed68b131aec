//! Is a webhook genuine: which secrets can have signed it, and did one of them.
use std::sync::Arc;

use ck8s_types::now_ms;
use secrecy::{ExposeSecret, SecretString};

use super::envelope::Envelope;
use crate::domain::{
    rejection::Rejection,
    repository::Repository,
    signature::{Signature, WebhookSecret},
    webhook::Webhook,
};

/// A genuine webhook's signature, and the repository whose secret made it.
#[derive(Debug)]
pub(super) struct Verified<'a> {
    pub(super) signature: Signature,
    /// None: the platform's secret made it.
    pub(super) repository: Option<&'a Repository>,
}

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

    /// Verifies a webhook. Of several claimants, it is for the one whose secret signed it: no other learns of it.
    pub(super) fn verify<'a>(
        &self,
        webhook: &Webhook,
        envelope: Envelope,
        claimants: &'a [Arc<Repository>],
    ) -> Result<Verified<'a>, Rejection> {
        let body = &webhook.body;
        // A malformed signature is checked as well, so that its rejection takes as long.
        let signature = envelope.signature.unwrap_or_default();
        let signer = |claimant: &&'a Arc<Repository>| {
            let secrets = &claimant.secrets;
            secrets.verify(body, &signature, now_ms())
        };
        let repository = claimants.iter().find(signer).map(Arc::as_ref);
        let is_genuine = match (claimants, &self.platform, envelope.repository_id) {
            ([_, ..], _, _) => repository.is_some(),
            ([], Some(platform), None) => platform.verify(body, &signature),
            ([], _, _) => {
                std::hint::black_box(self.decoy.verify(body, &signature));
                false
            }
        };
        let signature = envelope
            .signature
            .filter(|_| is_genuine)
            .ok_or(Rejection::SignatureInvalid)?;
        Ok(Verified {
            signature,
            repository,
        })
    }
}
