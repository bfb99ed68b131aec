//! Why a webhook is refused: a closed set of codes, and what people read.
use super::payload::NotPayload;

/// Why a webhook is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The request speaks of no provider that is known.
    ProviderUnknown,
    /// No X-GitHub-Event.
    EventMissing,
    /// X-GitHub-Event is no event name.
    EventInvalid,
    /// No X-GitHub-Delivery.
    DeliveryIdMissing,
    /// X-GitHub-Delivery is no delivery id.
    DeliveryIdInvalid,
    /// The body is no JSON object, or nested too deep.
    BodyNotJson(NotPayload),
    /// No X-Hub-Signature-256.
    SignatureMissing,
    /// The signature is not right, or there is nothing to check it against: an outsider must not learn which.
    SignatureInvalid,
    /// The database takes everything but this.
    NotStorable,
    /// The database or a service is away.
    Unavailable,
}

impl Refusal {
    /// The stable code.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::ProviderUnknown => "PROVIDER_UNKNOWN",
            Self::EventMissing => "EVENT_MISSING",
            Self::EventInvalid => "EVENT_INVALID",
            Self::DeliveryIdMissing => "DELIVERY_ID_MISSING",
            Self::DeliveryIdInvalid => "DELIVERY_ID_INVALID",
            Self::BodyNotJson(_) => "BODY_NOT_JSON",
            Self::SignatureMissing => "SIGNATURE_MISSING",
            Self::SignatureInvalid => "SIGNATURE_INVALID",
            Self::NotStorable => "NOT_STORABLE",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    /// For people.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::ProviderUnknown => "only webhooks of GitHub are taken",
            Self::EventMissing => "the header X-GitHub-Event is missing",
            Self::EventInvalid => "X-GitHub-Event must be 1 to 100 of a-z, 0-9, dot and underscore",
            Self::DeliveryIdMissing => "the header X-GitHub-Delivery is missing",
            Self::DeliveryIdInvalid => {
                "X-GitHub-Delivery must be 1 to 100 printable ASCII characters"
            }
            Self::BodyNotJson(NotPayload::Syntax) => "the body is not JSON",
            Self::BodyNotJson(NotPayload::Depth) => "the body is nested deeper than 128 levels",
            Self::BodyNotJson(NotPayload::Shape) => "the body must be a JSON object",
            Self::SignatureMissing => {
                "the header X-Hub-Signature-256 is missing: set a secret for the webhook"
            }
            Self::SignatureInvalid => "the signature does not fit: check the webhook's secret",
            Self::NotStorable => "the delivery cannot be stored as it is",
            Self::Unavailable => "the delivery was not stored; send it again",
        }
    }
}
