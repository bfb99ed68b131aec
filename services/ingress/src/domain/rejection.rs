//! The reasons why a webhook is rejected: a closed set of codes, with a message for people.
use super::payload::PayloadError;

/// The reason why a webhook is rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rejection {
    /// The provider is unknown.
    ProviderUnknown,
    /// The header X-GitHub-Event is missing.
    EventMissing,
    /// X-GitHub-Event is not an event name.
    EventInvalid,
    /// The header X-GitHub-Delivery is missing.
    DeliveryIdMissing,
    /// X-GitHub-Delivery is not a delivery id.
    DeliveryIdInvalid,
    /// The body is not a JSON object, or it is nested too deep.
    BodyNotJson(PayloadError),
    /// The header X-Hub-Signature-256 is missing.
    SignatureMissing,
    /// The signature is wrong, or there is no secret to check it against: an outsider must not learn which.
    SignatureInvalid,
    /// The database refuses to store this delivery.
    NotStorable,
    /// The database or another service is unavailable.
    Unavailable,
}

impl Rejection {
    /// Returns the stable code.
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

    /// Returns the message for people.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::ProviderUnknown => "only webhooks of GitHub are accepted",
            Self::EventMissing => "the header X-GitHub-Event is missing",
            Self::EventInvalid => "X-GitHub-Event must be 1 to 100 of a-z, 0-9, dot and underscore",
            Self::DeliveryIdMissing => "the header X-GitHub-Delivery is missing",
            Self::DeliveryIdInvalid => {
                "X-GitHub-Delivery must be 1 to 100 printable ASCII characters"
            }
            Self::BodyNotJson(PayloadError::Syntax) => "the body is not JSON",
            Self::BodyNotJson(PayloadError::Depth) => "the body is nested deeper than 128 levels",
            Self::BodyNotJson(PayloadError::Shape) => "the body must be a JSON object",
            Self::SignatureMissing => {
                "the header X-Hub-Signature-256 is missing: set a secret for the webhook"
            }
            Self::SignatureInvalid => "the signature is wrong: check the webhook's secret",
            Self::NotStorable => "the delivery cannot be stored as it is",
            Self::Unavailable => "the delivery was not stored; send it again",
        }
    }
}
