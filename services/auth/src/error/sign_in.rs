//! What goes wrong with sign-ins and sessions, and how it looks on the wire.
use std::time::Duration;

use ck8s_rpc::status;
use thiserror::Error;
use tonic::{Code, Status};

/// Why there is no session.
#[derive(Debug, Error)]
pub enum SignInError {
    /// This process was given no key ring.
    #[error("sessions are off")]
    SessionsOff,
    /// No identity provider is configured.
    #[error("no identity provider is configured")]
    NoProvider,
    /// The provider does not know this server, or not its secret.
    #[error("the provider refuses this server: {0}")]
    Misconfigured(String),
    /// The provider does not answer, or nothing that makes sense. The text is for the log.
    #[error("the provider: {0}")]
    ProviderAway(String),
    /// The state is unknown, used, too old, or another browser's.
    #[error("the state is not good")]
    StateRefused,
    /// The provider does not take its own code back.
    #[error("the provider's code is not good")]
    CodeRefused,
    /// A device code that is unknown, used or too old.
    #[error("the device code is not good")]
    DeviceCodeRefused,
    /// The person said no at the provider.
    #[error("the person refused")]
    AccessDenied,
    /// No address of theirs is allowed.
    #[error("nobody allowed them")]
    NotAllowed,
    /// They have addresses that are not verified, and none that is verified and allowed.
    #[error("the address is not verified")]
    AddressNotVerified,
    /// The address is allowed, and somebody else signed in with it before.
    #[error("the address belongs to another identity")]
    OtherIdentity,
    /// A refresh token that is unknown, spent or too old, or of an ended session.
    #[error("the session is over")]
    SessionRefused,
    /// More of it than is sensible.
    #[error("too many {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// When to come back.
        wait: Duration,
    },
}

impl SignInError {
    /// Why a person who is known was refused; none for whatever else went wrong.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::AccessDenied => Some("ACCESS_DENIED"),
            Self::NotAllowed => Some("NOT_ALLOWED"),
            Self::AddressNotVerified => Some("ADDRESS_NOT_VERIFIED"),
            Self::OtherIdentity => Some("OTHER_IDENTITY"),
            _ => None,
        }
    }

    /// What to tell the person, and what they can do.
    fn words(&self) -> &'static str {
        match self {
            Self::AccessDenied => "the sign-in was cancelled: begin again if that was not meant",
            Self::NotAllowed => {
                "no verified address of this account may sign in here: ask an admin of this server to allow yours"
            }
            Self::AddressNotVerified => {
                "no verified address of this account may sign in here, and it has an address that is not verified: verify it at the provider, then sign in again"
            }
            Self::OtherIdentity => {
                "somebody with another account has signed in with this address: an admin of this server can let the address go"
            }
            Self::StateRefused => {
                "this sign-in is not good: it works once, for ten minutes, in the browser that began it; begin again"
            }
            Self::CodeRefused => "the provider did not take its code back: begin again",
            Self::DeviceCodeRefused => {
                "this device code is not good: it works once, in its time; begin again"
            }
            Self::SessionsOff => "this server holds no sessions: it has no key ring",
            Self::NoProvider => {
                "sign-in with GitHub is not set up here: the operator can, with CK8S_GITHUB_CLIENT_ID, CK8S_GITHUB_CLIENT_SECRET and CK8S_PUBLIC_URL"
            }
            Self::Misconfigured(_) => {
                "the provider refuses this server: its operator must look at the OAuth app's id, secret and callback"
            }
            Self::SessionRefused => "the session is over: sign in again",
            Self::ProviderAway(_) | Self::TooMany { .. } => "",
        }
    }
}

impl From<SignInError> for Status {
    fn from(error: SignInError) -> Self {
        let words = error.words();
        if let Some(reason) = error.refusal() {
            return status::error(Code::PermissionDenied, reason, words, &[]);
        }
        let invalid = |reason| status::error(Code::InvalidArgument, reason, words, &[]);
        match &error {
            SignInError::StateRefused => invalid("STATE_REFUSED"),
            SignInError::CodeRefused => invalid("CODE_REFUSED"),
            SignInError::DeviceCodeRefused => invalid("DEVICE_CODE_REFUSED"),
            SignInError::SessionsOff => status::precondition("SESSIONS_OFF", words),
            SignInError::NoProvider => status::precondition("SIGN_IN_OFF", words),
            SignInError::Misconfigured(said) => {
                tracing::error!(
                    said,
                    "the provider refuses this server: CK8S_GITHUB_CLIENT_ID, CK8S_GITHUB_CLIENT_SECRET"
                );
                status::precondition("SIGN_IN_MISCONFIGURED", words)
            }
            SignInError::ProviderAway(cause) => status::unavailable("the identity provider", cause),
            SignInError::TooMany { what, wait } => status::limited(what, *wait),
            _ => status::error(Code::Unauthenticated, "SESSION_REFUSED", words, &[]),
        }
    }
}
