//! What goes wrong, and how each of it looks on the wire.
mod sign_in;

use ck8s_pki::PkiError;
use ck8s_rpc::status;
use ck8s_types::Invalid;
use thiserror::Error;
use tonic::{Code, Status};

pub use self::sign_in::SignInError;

/// Why a call fails.
#[derive(Debug, Error)]
pub enum AuthError {
    /// A field's value is wrong.
    #[error("{}: {}", .0.field, .0.problem)]
    Invalid(Invalid),
    /// Nobody's token: unknown, expired or revoked.
    #[error("unknown token")]
    UnknownToken,
    /// A link's code that is unknown, used or too old.
    #[error("the link is not good")]
    LinkRefused,
    /// A join token that is unknown, used or too old.
    #[error("the join token is not good")]
    JoinRefused,
    /// This server has no authority.
    #[error("no certificates are signed here")]
    SigningOff,
    /// A worker that came with a token wants its certificate renewed.
    #[error("the worker has no certificate")]
    NoCertificate,
    /// A request for a certificate that cannot be signed.
    #[error("{0}")]
    Request(PkiError),
    /// The authority's files are of no use.
    #[error("the authority: {0}")]
    Authority(PkiError),
    /// No such token.
    #[error("no token {0:?}")]
    TokenNotFound(String),
    /// No such project.
    #[error("no project {0:?}")]
    ProjectNotFound(String),
    /// Nobody with this id or address may sign in.
    #[error("no user {0:?}")]
    UserNotFound(String),
    /// The user is no member of the project.
    #[error("no member {0:?}")]
    MemberNotFound(String),
    /// The address may sign in already.
    #[error("user {0:?} exists")]
    UserExists(String),
    /// The user is a member already.
    #[error("member {0:?} exists")]
    MemberExists(String),
    /// The last platform admin would be none any more.
    #[error("the last platform admin")]
    LastAdmin,
    /// A token with a scope, or with an end, is asked for one that may more.
    #[error("a token gives no more than it has")]
    WiderToken,
    /// A person asks for a token that is not their own.
    #[error("people make tokens of their own")]
    OwnTokensOnly,
    /// A live token has the name.
    #[error("token {0:?} exists")]
    TokenExists(String),
    /// A project has the slug.
    #[error("project {0:?} exists")]
    ProjectExists(String),
    /// Something belongs to the project.
    #[error("project {slug:?} still has {what}")]
    ProjectInUse {
        /// Which project.
        slug: String,
        /// What it has: repositories, runs or deliveries.
        what: &'static str,
    },
    /// Somebody changed the project since it was read.
    #[error("project {0:?} was changed")]
    Changed(String),
    /// Somebody changed the user since they were read.
    #[error("user {0:?} was changed")]
    UserChanged(String),
    /// The request id belongs to another method's call.
    #[error("the request id was used for another call")]
    RequestIdReused,
    /// A sign-in or a session that is not to be.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The same is being done by another call.
    #[error("another call does the same")]
    Busy,
    /// A sealed value does not open.
    #[error("the key ring: {0}")]
    Unopened(#[from] ck8s_sealing::OpenError),
    /// A value was not sealed, or a key not made.
    #[error("a secret could not be made")]
    Unmade,
    /// An answer that was kept, or a row, is not what this program writes.
    #[error("the database holds something unreadable: {0}")]
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

impl From<AuthError> for Status {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid(fault) => ck8s_rpc::convert::invalid(&fault),
            AuthError::UnknownToken => status::unauthenticated(),
            AuthError::LinkRefused => status::error(
                Code::Unauthenticated,
                "LINK_REFUSED",
                "this sign-in link is not good: it works once, within its hour; ask for a new one",
                &[],
            ),
            AuthError::JoinRefused => status::error(
                Code::Unauthenticated,
                "JOIN_REFUSED",
                "this join token is not good: it works once, within its time; ask for a new one",
                &[],
            ),
            AuthError::SigningOff => status::precondition(
                "JOINING_OFF",
                "this server signs no certificates: its operator can let it, with --mesh-ca on the role auth",
            ),
            AuthError::NoCertificate => status::precondition(
                "NO_CERTIFICATE",
                "only a worker that shows a certificate gets the next one: join first",
            ),
            AuthError::Request(cause) => status::invalid("certificate_request", cause.to_string()),
            AuthError::TokenNotFound(token) => status::not_found("token", token),
            AuthError::ProjectNotFound(project) => status::not_found("project", project),
            AuthError::UserNotFound(user) => status::not_found("user", user),
            AuthError::MemberNotFound(user) => status::not_found("member", user),
            AuthError::UserExists(email) => status::exists("user", email),
            AuthError::MemberExists(user) => status::exists("member", user),
            AuthError::LastAdmin => status::precondition(
                "LAST_ADMIN",
                "this is the last platform admin: make another user one first",
            ),
            AuthError::WiderToken => status::error(
                Code::PermissionDenied,
                "TOKEN_SCOPED",
                "the token that you show is limited: it makes none that may more or live longer, and ends no other",
                &[],
            ),
            AuthError::OwnTokensOnly => status::error(
                Code::PermissionDenied,
                "OWN_TOKENS_ONLY",
                "a person makes tokens of their own alone: TOKEN_KIND_PERSON",
                &[],
            ),
            AuthError::TokenExists(name) => status::exists("token", name),
            AuthError::ProjectExists(slug) => status::exists("project", slug),
            AuthError::ProjectInUse { slug, what } => status::error(
                Code::FailedPrecondition,
                "PROJECT_IN_USE",
                format!("project {slug:?} still has {what}"),
                &[("project", &slug), ("what", what)],
            ),
            AuthError::Changed(project) => status::error(
                Code::Aborted,
                "PROJECT_CHANGED",
                format!("project {project:?} was changed since it was read: read it again"),
                &[("project", &project)],
            ),
            AuthError::SignIn(refusal) => refusal.into(),
            AuthError::Busy => {
                status::aborted("CONFLICT", "another call was in the way; try again")
            }
            AuthError::UserChanged(user) => status::error(
                Code::Aborted,
                "USER_CHANGED",
                format!("user {user:?} was changed since they were read: read them again"),
                &[("user", &user)],
            ),
            AuthError::RequestIdReused => {
                status::invalid("request_id", "was used for another kind of call")
            }
            AuthError::Database(cause) if ck8s_db::is_unavailable(&cause) => {
                status::unavailable("the database", &cause)
            }
            AuthError::Database(cause) if ck8s_db::is_retryable(&cause) => {
                tracing::debug!(%cause, "a transaction lost to another");
                status::aborted("CONFLICT", "another call was in the way; try again")
            }
            cause @ (AuthError::Database(_)
            | AuthError::Corrupt(_)
            | AuthError::Authority(_)
            | AuthError::Unopened(_)
            | AuthError::Unmade) => status::internal(&cause),
        }
    }
}
