//! The errors of the calls, and the status that each becomes.
use ck8s_db::request_ids::RequestError;
use ck8s_pki::PkiError;
use ck8s_rpc::status;
use ck8s_types::{Invalid, RequestId};
use thiserror::Error;
use tonic::{Code, Status};

use super::sign_in::SignInError;

/// Why a call fails.
#[derive(Debug, Error)]
pub enum AuthError {
    /// A field's value is invalid.
    #[error("{}: {}", .0.field, .0.problem)]
    Invalid(Invalid),
    /// The token is unknown, expired or revoked.
    #[error("unknown token")]
    UnknownToken,
    /// The code of a sign-in link is unknown, redeemed or expired.
    #[error("the link is not valid")]
    LinkRefused,
    /// The join token is unknown, spent or expired.
    #[error("the join token is not valid")]
    JoinRefused,
    /// This server has no certificate authority.
    #[error("this server signs no certificates")]
    NoAuthority,
    /// A worker without a certificate asks for the next one.
    #[error("the worker has no certificate")]
    NoCertificate,
    /// The request for a certificate cannot be signed.
    #[error("{0}")]
    CertificateRequest(PkiError),
    /// The authority's files cannot be used.
    #[error("the authority: {0}")]
    Authority(PkiError),
    /// There is no such token.
    #[error("no token {0:?}")]
    TokenNotFound(String),
    /// There is no such project.
    #[error("no project {0:?}")]
    ProjectNotFound(String),
    /// There is no user with this id or address.
    #[error("no user {0:?}")]
    UserNotFound(String),
    /// The user is not a member of the project.
    #[error("no member {0:?}")]
    MemberNotFound(String),
    /// There is a user with this address.
    #[error("user {0:?} exists")]
    UserExists(String),
    /// The user is a member already.
    #[error("member {0:?} exists")]
    MemberExists(String),
    /// The call would leave no platform admin.
    #[error("the last platform admin")]
    LastAdmin,
    /// A limited token was used to create a wider one, or to revoke another one.
    #[error("a token cannot create a wider one")]
    WiderToken,
    /// A person asks for a token of the platform.
    #[error("people create tokens of their own only")]
    OwnTokensOnly,
    /// A live token has this name.
    #[error("token {0:?} exists")]
    TokenExists(String),
    /// A project has this slug.
    #[error("project {0:?} exists")]
    ProjectExists(String),
    /// The project cannot be deleted while something belongs to it.
    #[error("project {slug:?} still has {what}")]
    ProjectInUse {
        /// The project.
        slug: String,
        /// What belongs to it: repositories, runs or deliveries.
        what: &'static str,
    },
    /// The project was changed since the caller read it.
    #[error("project {0:?} was changed")]
    ProjectChanged(String),
    /// The user was changed since the caller read it.
    #[error("user {0:?} was changed")]
    UserChanged(String),
    /// The request id was used for another request.
    #[error("request id {0} was used for another request")]
    RequestIdReused(RequestId),
    /// A sign-in failed, or a session is over.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// Another call does the same at the same time.
    #[error("another call does the same")]
    Busy,
    /// A sealed value does not open.
    #[error("the key ring: {0}")]
    Open(#[from] ck8s_sealing::OpenError),
    /// A key could not be generated, or a value could not be sealed.
    #[error("a secret could not be created")]
    SecretCreation,
    /// A row, or the kept answer of a call, is not what this program writes.
    #[error("the database contains an unreadable value: {0}")]
    Corrupt(&'static str),
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

impl From<Invalid> for AuthError {
    fn from(fault: Invalid) -> Self {
        Self::Invalid(fault)
    }
}

impl From<RequestError> for AuthError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Reused(id) => Self::RequestIdReused(id),
            RequestError::Database(cause) => cause.into(),
        }
    }
}

impl From<AuthError> for Status {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid(fault) => ck8s_rpc::convert::invalid(&fault),
            AuthError::CertificateRequest(cause) => {
                status::invalid("certificate_request", cause.to_string())
            }
            AuthError::RequestIdReused(id) => status::request_id_reused(id),
            AuthError::UnknownToken => status::unauthenticated(),
            AuthError::LinkRefused => unauthenticated("LINK_REFUSED", LINK_REFUSED),
            AuthError::JoinRefused => unauthenticated("JOIN_REFUSED", JOIN_REFUSED),
            AuthError::WiderToken => denied("TOKEN_SCOPED", WIDER_TOKEN),
            AuthError::OwnTokensOnly => denied("OWN_TOKENS_ONLY", OWN_TOKENS_ONLY),
            AuthError::NoAuthority => status::precondition("JOINING_OFF", NO_AUTHORITY),
            AuthError::NoCertificate => status::precondition("NO_CERTIFICATE", NO_CERTIFICATE),
            AuthError::LastAdmin => status::precondition("LAST_ADMIN", LAST_ADMIN),
            AuthError::ProjectInUse { slug, what } => in_use(&slug, what),
            AuthError::TokenNotFound(token) => status::not_found("token", token),
            AuthError::ProjectNotFound(project) => status::not_found("project", project),
            AuthError::UserNotFound(user) => status::not_found("user", user),
            AuthError::MemberNotFound(user) => status::not_found("member", user),
            AuthError::UserExists(email) => status::exists("user", email),
            AuthError::MemberExists(user) => status::exists("member", user),
            AuthError::TokenExists(name) => status::exists("token", name),
            AuthError::ProjectExists(slug) => status::exists("project", slug),
            AuthError::ProjectChanged(slug) => changed("PROJECT_CHANGED", "project", &slug),
            AuthError::UserChanged(email) => changed("USER_CHANGED", "user", &email),
            AuthError::SignIn(refusal) => refusal.into(),
            AuthError::Busy => conflict(),
            AuthError::Database(cause) if ck8s_db::is_unavailable(&cause) => {
                status::unavailable("the database", &cause)
            }
            AuthError::Database(cause) if ck8s_db::is_unstorable(&cause) => status::unstorable(),
            AuthError::Database(cause) if ck8s_db::is_retryable(&cause) => {
                tracing::debug!(%cause, "a transaction conflicted with another");
                conflict()
            }
            cause @ (AuthError::Database(_)
            | AuthError::Corrupt(_)
            | AuthError::Authority(_)
            | AuthError::Open(_)
            | AuthError::SecretCreation) => status::internal(&cause),
        }
    }
}

const LINK_REFUSED: &str =
    "this sign-in link is not valid: it works once, within an hour; ask for a new one";
const JOIN_REFUSED: &str =
    "this join token is not valid: it works once, before it expires; ask for a new one";
const WIDER_TOKEN: &str = "your token is limited: it cannot create one with more rights or a longer life, nor revoke another one";
const OWN_TOKENS_ONLY: &str = "a person can create tokens of their own only: TOKEN_KIND_PERSON";
const NO_AUTHORITY: &str = "this server signs no certificates: its operator can turn that on with --mesh-ca on the role auth";
const NO_CERTIFICATE: &str = "only a worker with a certificate gets the next one: join first";
const LAST_ADMIN: &str = "this is the last platform admin: make another user one first";

fn unauthenticated(reason: &'static str, message: &str) -> Status {
    status::error(Code::Unauthenticated, reason, message, &[])
}

fn denied(reason: &'static str, message: &str) -> Status {
    status::error(Code::PermissionDenied, reason, message, &[])
}

fn conflict() -> Status {
    status::aborted("CONFLICT", "another call was in the way; try again")
}

fn changed(reason: &'static str, noun: &str, name: &str) -> Status {
    let message = format!("{noun} {name:?} was changed since it was read: read it again");
    status::error(Code::Aborted, reason, message, &[(noun, name)])
}

fn in_use(slug: &str, what: &str) -> Status {
    let message = format!("project {slug:?} still has {what}");
    let metadata = [("project", slug), ("what", what)];
    status::error(
        Code::FailedPrecondition,
        "PROJECT_IN_USE",
        message,
        &metadata,
    )
}
