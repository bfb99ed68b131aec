//! The envelope of a webhook, read before anybody knows whether the webhook is genuine: the form of its headers, its
//! signature, and the repository that it names. Everything else in the body is skipped and takes no memory.
use crate::domain::{
    headers, payload,
    rejection::Rejection,
    signature::{self, Signature},
    webhook::Webhook,
};

/// Bounds the bodies that are read on the spot. Larger ones take milliseconds and more, and are read where they hold up
/// nobody.
const MAX_INLINE_BODY_BYTES: usize = 512 * 1024;
/// The only provider so far.
const GITHUB: &str = "github";

/// What is known of a webhook before it is verified.
#[derive(Clone, Copy)]
pub(super) struct Envelope {
    /// The provider's id of the repository that the webhook names.
    pub(super) repository_id: Option<u64>,
    /// None: the header is there, but it is malformed.
    pub(super) signature: Option<Signature>,
}

/// Reads the envelope of a webhook.
pub(super) async fn read(webhook: &Webhook) -> Result<Envelope, Rejection> {
    if !is_large(webhook) {
        return read_now(webhook);
    }
    let webhook = webhook.clone();
    tokio::task::spawn_blocking(move || read_now(&webhook))
        .await
        .unwrap_or(Err(Rejection::Unavailable))
}

/// Returns whether the work on a body must not be done on the spot.
pub(super) fn is_large(webhook: &Webhook) -> bool {
    webhook.body.len() > MAX_INLINE_BODY_BYTES
}

/// Reads the envelope of a webhook on the spot.
pub(super) fn read_now(webhook: &Webhook) -> Result<Envelope, Rejection> {
    if webhook.provider != GITHUB {
        return Err(Rejection::ProviderUnknown);
    }
    headers::check(&webhook.event, &webhook.delivery_key)?;
    let repository_id = payload::repository_id(&webhook.body).map_err(Rejection::BodyNotJson)?;
    if webhook.signature.is_empty() {
        return Err(Rejection::SignatureMissing);
    }
    Ok(Envelope {
        repository_id,
        signature: signature::parse(&webhook.signature),
    })
}
