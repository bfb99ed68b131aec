//! The errors of sign-ins and sessions, and the status that each becomes.
use std::time::Duration;

use ck8s_rpc::status;
use thiserror::Error;
use tonic::{Code, Status};

/// Why a person gets no session.
#[derive(Debug, Error)]
pub enum SignInError {
    /// This process has no key ring.
    #[error("sessions are off")]
    SessionsOff,
    /// No identity provider is configured.
    #[error("no identity provider is configured")]
    NoProvider,
    /// The provider does not know this server's OAuth app, or refuses its secret.
    #[error("the provider refuses this server: {0}")]
    Misconfigured(String),
    /// The provider does not answer, or its answer cannot be decoded. The text is for the log.
    #[error("the provider: {0}")]
    ProviderUnavailable(String),
    /// The provider refuses a request.
    #[error("the provider refuses {what}: status {status}")]
    ProviderRefused {
        /// What was asked for.
        what: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The provider failed in this way after the person had confirmed a sign-in on a device.
    #[error("the provider {0} after the confirmation")]
    Interrupted(&'static str),
    /// The state is unknown, used, expired, or another browser's.
    #[error("the state is not valid")]
    StateRefused,
    /// The provider refuses the code that the browser came back with.
    #[error("the provider's code is not valid")]
    CodeRefused,
    /// The device code is unknown, used or expired.
    #[error("the device code is not valid")]
    DeviceCodeRefused,
    /// The person declined at the provider.
    #[error("the person refused")]
    AccessDenied,
    /// None of the person's verified addresses is on the allow-list.
    #[error("the address is not on the allow-list")]
    NotAllowed,
    /// None of the person's verified addresses is on the allow-list, and the person has an address that is not
    /// verified.
    #[error("the address is not verified")]
    AddressNotVerified,
    /// The address is on the allow-list, but another account has signed in with it.
    #[error("the address belongs to another identity")]
    OtherIdentity,
    /// The refresh token is unknown, spent or expired, or its session has ended.
    #[error("the session is over")]
    SessionRefused,
    /// Too many attempts in a minute.
    #[error("too many {what}")]
    TooMany {
        /// What there were too many of.
        what: &'static str,
        /// How long to wait.
        wait: Duration,
    },
}

impl SignInError {
    /// Returns whether the same sign-in may succeed later: its provider is away, or limits requests, or its operator
    /// has to act.
    pub(crate) fn can_be_retried(&self) -> bool {
        matches!(
            self,
            Self::ProviderUnavailable(_) | Self::TooMany { .. } | Self::Misconfigured(_)
        )
    }

    /// Returns the reason if a person was refused; none for all other errors.
    pub(crate) fn refusal_reason(&self) -> Option<&'static str> {
        match self {
            Self::AccessDenied => Some("ACCESS_DENIED"),
            Self::NotAllowed => Some("NOT_ALLOWED"),
            Self::AddressNotVerified => Some("ADDRESS_NOT_VERIFIED"),
            Self::OtherIdentity => Some("OTHER_IDENTITY"),
            _ => None,
        }
    }

    /// Explains the error to the person, and says what they can do.
    fn explanation(&self) -> &'static str {
        match self {
            Self::AccessDenied => "the sign-in was cancelled: start again if that was not intended",
            Self::NotAllowed => {
                "no verified address of this account may sign in here: ask an admin of this server to allow yours"
            }
            Self::AddressNotVerified => {
                "no verified address of this account may sign in here, and it has an address that is not verified: verify it at the provider, then sign in again"
            }
            Self::OtherIdentity => {
                "somebody with another account has signed in with this address: an admin of this server can release the address"
            }
            Self::StateRefused => {
                "this sign-in is not valid: it works once, for ten minutes, in the browser that started it; start again"
            }
            Self::CodeRefused => "the provider refused its own code: start again",
            Self::DeviceCodeRefused => {
                "this device code is not valid: it works once, before it expires; start again"
            }
            Self::SessionsOff => "this server has no sessions: it has no key ring",
            Self::NoProvider => {
                "sign-in with GitHub is not set up here: the operator can set CK8S_GITHUB_CLIENT_ID, CK8S_GITHUB_CLIENT_SECRET and CK8S_PUBLIC_URL"
            }
            Self::SessionRefused => "the session is over: sign in again",
            Self::Misconfigured(_)
            | Self::ProviderRefused { .. }
            | Self::Interrupted(_)
            | Self::ProviderUnavailable(_)
            | Self::TooMany { .. } => "",
        }
    }
}

impl From<SignInError> for Status {
    fn from(error: SignInError) -> Self {
        let words = error.explanation();
        if let Some(reason) = error.refusal_reason() {
            return status::error(Code::PermissionDenied, reason, words, &[]);
        }
        let invalid = |reason| status::error(Code::InvalidArgument, reason, words, &[]);
        match &error {
            SignInError::StateRefused => invalid("STATE_REFUSED"),
            SignInError::CodeRefused => invalid("CODE_REFUSED"),
            SignInError::DeviceCodeRefused => invalid("DEVICE_CODE_REFUSED"),
            SignInError::SessionsOff => status::precondition("SESSIONS_OFF", words),
            SignInError::NoProvider => status::precondition("SIGN_IN_OFF", words),
            SignInError::Misconfigured(error) => {
                tracing::error!(
                    error,
                    "the provider refuses this server: CK8S_GITHUB_CLIENT_ID, CK8S_GITHUB_CLIENT_SECRET"
                );
                misconfigured(error)
            }
            SignInError::ProviderRefused { what, status } => provider_refused(what, *status),
            SignInError::Interrupted(how) => {
                let message =
                    format!("the identity provider {how} after you had confirmed: start again");
                status::aborted("SIGN_IN_INTERRUPTED", message)
            }
            SignInError::ProviderUnavailable(cause) => {
                status::unavailable("the identity provider", cause)
            }
            SignInError::TooMany { what, wait } => status::limited(what, *wait),
            _ => status::error(Code::Unauthenticated, "SESSION_REFUSED", words, &[]),
        }
    }
}

/// The provider names its error; it is what the operator looks for.
fn misconfigured(error: &str) -> Status {
    let help = match error {
        "device_flow_disabled" => "enable the OAuth app's device flow",
        "application_suspended" => "ask why the OAuth app is suspended",
        _ => "check the OAuth app's id, secret and callback",
    };
    let message =
        format!("the identity provider refuses this server ({error}): its operator must {help}");
    let reason = "SIGN_IN_MISCONFIGURED";
    status::error(
        Code::FailedPrecondition,
        reason,
        message,
        &[("error", error)],
    )
}

fn provider_refused(what: &str, code: u16) -> Status {
    tracing::error!(what, code, "the provider refuses a request of this server");
    let code = code.to_string();
    let message = format!(
        "the identity provider refuses {what} with status {code}: the OAuth app, or a rule of the organization there, may not allow it; ask the operator of this server"
    );
    let metadata = [("what", what), ("status", code.as_str())];
    status::error(
        Code::FailedPrecondition,
        "PROVIDER_REFUSED",
        message,
        &metadata,
    )
}
