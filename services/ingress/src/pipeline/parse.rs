//! The form of a webhook: its headers, its payload and its signature, before anybody knows whether it is genuine.
use crate::domain::{
    headers,
    payload::Payload,
    rejection::Rejection,
    signature::{self, Signature},
    webhook::Webhook,
};

/// Bounds the bodies that are parsed on the spot. Larger ones take milliseconds and more, and are parsed where they
/// hold up nobody.
const MAX_INLINE_BODY_BYTES: usize = 512 * 1024;
/// The only provider so far.
const GITHUB: &str = "github";

/// A webhook whose form is right.
pub(super) struct ParsedWebhook<'a> {
    pub(super) payload: Payload<'a>,
    /// None: the header is there, but it is malformed.
    pub(super) signature: Option<Signature>,
}

/// The result of the first look at a webhook.
pub(super) enum Inspection<'a> {
    Rejected(Rejection),
    Small(Box<ParsedWebhook<'a>>),
    /// It is parsed again where it is prepared: what was parsed borrows from the body.
    Large {
        repository_id: Option<u64>,
    },
}

impl Inspection<'_> {
    /// Returns the provider's id of the repository that the webhook names.
    pub(super) fn repository_id(&self) -> Option<u64> {
        match self {
            Self::Small(parsed) => parsed.payload.repository_id(),
            Self::Large { repository_id } => *repository_id,
            Self::Rejected(_) => None,
        }
    }
}

/// Looks at a webhook for the first time: is its form right, and which repository does it name.
pub(super) async fn inspect(webhook: &Webhook) -> Inspection<'_> {
    if webhook.body.len() <= MAX_INLINE_BODY_BYTES {
        return parse(webhook).map_or_else(Inspection::Rejected, |parsed| {
            Inspection::Small(Box::new(parsed))
        });
    }
    let copy = webhook.clone();
    let work = move || parse(&copy).map(|parsed| parsed.payload.repository_id());
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(repository_id)) => Inspection::Large { repository_id },
        Ok(Err(rejection)) => Inspection::Rejected(rejection),
        Err(_) => Inspection::Rejected(Rejection::Unavailable),
    }
}

/// Parses a webhook.
pub(super) fn parse(webhook: &Webhook) -> Result<ParsedWebhook<'_>, Rejection> {
    if webhook.provider != GITHUB {
        return Err(Rejection::ProviderUnknown);
    }
    headers::check(&webhook.event, &webhook.delivery_key)?;
    let payload = Payload::parse(&webhook.body).map_err(Rejection::BodyNotJson)?;
    if webhook.signature.is_empty() {
        return Err(Rejection::SignatureMissing);
    }
    Ok(ParsedWebhook {
        payload,
        signature: signature::parse(&webhook.signature),
    })
}
