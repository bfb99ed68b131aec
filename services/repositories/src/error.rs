//! Why a use case fails, and the gRPC status of each reason.
use std::{fmt::Display, time::Duration};

use ck8s_db::request_ids::RequestError;
use ck8s_provider::{MissingPermission, ProviderError};
use ck8s_rpc::{convert, status};
use ck8s_sealing::{OpenError, SealError};
use ck8s_types::{Invalid, ProjectId, RepositoryId, RequestId};
use thiserror::Error;
use time::format_description::well_known::Rfc3339;
use tonic::{Code, Status};

/// Why a use case failed.
#[derive(Debug, Error)]
pub enum Error {
    /// A field is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no such repository.
    #[error("no repository {0:?}")]
    NotFound(String),
    /// There is no such project.
    #[error("no project {0}")]
    ProjectNotFound(ProjectId),
    /// A live repository has this id at the provider.
    #[error("a repository with external_id {0:?} exists")]
    ExternalIdTaken(String),
    /// A live repository has this name.
    #[error("a repository named {0:?} exists")]
    NameTaken(String),
    /// Another project's credential proves this repository.
    #[error("another project manages the repository")]
    ManagedElsewhere,
    /// The caller reaches several repositories of this name.
    #[error("several repositories are named {name:?}")]
    Ambiguous {
        /// The name.
        name: String,
        /// The repositories that have it.
        ids: Vec<RepositoryId>,
    },
    /// The etag is not the one of the repository: somebody changed it since it was read.
    #[error("the repository has changed since it was read")]
    Changed,
    /// The request id was used for another request.
    #[error("request id {0} was used for another request")]
    RequestIdReused(RequestId),
    /// The server was not set up to manage repositories at their provider.
    #[error("no provider is set up")]
    NoProvider,
    /// ck8s has no credential for this repository.
    #[error("no credential for {0:?}")]
    NoCredential(String),
    /// Another change of this repository is under way at its provider.
    #[error("{0:?} is being changed")]
    Busy(String),
    /// The credential lacks permissions.
    #[error("the credential lacks {}", describe_permissions(.0))]
    MissingPermissions(Vec<MissingPermission>),
    /// A request to the provider failed.
    #[error("stopped at {step}: {error}")]
    Provider {
        /// What was being done.
        step: &'static str,
        /// Why it failed.
        error: ProviderError,
    },
    /// No ping of the hook came.
    #[error(
        "stopped at waiting for the hook's ping: none came to {url}; the provider was answered: {said}"
    )]
    NoPing {
        /// The address that the hook posts to.
        url: String,
        /// What the provider says of its last attempt.
        said: String,
    },
    /// The repository was checked too often.
    #[error("checked too often; again in {0:?}")]
    TooManyChecks(Duration),
    /// Another service refused, or this one failed, with this status.
    #[error("a peer answered {}", .0.code())]
    Peer(Box<Status>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A value cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A sealed value cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A stored answer cannot be read or written.
    #[error("a stored answer: {0}")]
    StoredAnswer(#[from] serde_json::Error),
    /// A pending change is of a kind that this program does not know.
    #[error("a pending change is of the unknown kind {0:?}")]
    UnknownChangeKind(String),
    /// The answer would be larger than a message may be.
    #[error("the answer is too large")]
    AnswerTooLarge,
}

impl Error {
    /// Keeps what the guard answered to the caller.
    pub(crate) fn refused(status: Status) -> Self {
        Self::Peer(Box::new(status))
    }

    /// Tells our caller of a peer's error: what the caller can act on as it is, anything else as an internal error.
    pub(crate) fn from_peer(error: &Status) -> Self {
        let is_callers = matches!(
            error.code(),
            Code::NotFound | Code::InvalidArgument | Code::Unavailable | Code::DeadlineExceeded
        );
        let status = if is_callers {
            status::of_peer(error)
        } else {
            status::internal(error)
        };
        Self::Peer(Box::new(status))
    }

    /// Calls what is missing by the name that the caller used.
    pub(crate) fn of_name(self, name: &str) -> Self {
        match self {
            Self::NotFound(_) => Self::NotFound(name.to_owned()),
            error => error,
        }
    }

    /// An error that nobody can act on; its cause is logged.
    pub(crate) fn internal(cause: &dyn Display) -> Self {
        Self::Peer(Box::new(status::internal(cause)))
    }

    /// An invalid field.
    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self::Invalid(Invalid { field, problem })
    }

    /// A failed request to the provider, with what was being done.
    pub(crate) fn at(step: &'static str) -> impl FnOnce(ProviderError) -> Self {
        move |error| Self::Provider { step, error }
    }
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Reused(id) => Self::RequestIdReused(id),
            RequestError::Database(error) => Self::Database(error),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(invalid) => convert::invalid(&invalid),
            Error::NotFound(name) => status::not_found("repository", name),
            Error::ProjectNotFound(id) => status::not_found("project", id),
            Error::ExternalIdTaken(id) => repository_exists(
                format!("a repository with external_id {id:?} exists"),
                ("external_id", &id),
            ),
            Error::NameTaken(name) => repository_exists(
                format!("a repository named {name:?} exists"),
                ("full_name", &name),
            ),
            // It does not say that there is another project: its name is nobody's business.
            Error::ManagedElsewhere => status::precondition(
                "REPOSITORY_UNAVAILABLE",
                "ck8s cannot manage this repository for this project; a platform admin can find out why",
            ),
            Error::Ambiguous { name, ids } => ambiguous(&name, &ids),
            Error::Changed => status::aborted(
                "REPOSITORY_CHANGED",
                "the repository has changed since it was read; read it again",
            ),
            Error::RequestIdReused(id) => status::request_id_reused(id),
            Error::NoProvider => status::precondition(
                "NO_PROVIDER",
                "this server manages no hooks: its public address is not known (CK8S_PUBLIC_URL)",
            ),
            Error::NoCredential(name) => status::precondition(
                "NO_CREDENTIAL",
                format!("ck8s has no credential for {name}: it is maintained by hand"),
            ),
            Error::Busy(name) => status::aborted(
                "REPOSITORY_BUSY",
                format!("{name} is being changed at its provider; try again"),
            ),
            Error::MissingPermissions(missing) => permissions_missing(&missing),
            Error::Provider { step, error } => provider_failed(step, &error),
            Error::NoPing { url, said } => hook_unheard(&url, &said),
            Error::TooManyChecks(wait) => status::limited("checks of one repository", wait),
            Error::Peer(status) => *status,
            Error::Database(e) if ck8s_db::is_unavailable(&e) || ck8s_db::is_retryable(&e) => {
                status::unavailable("the database", &e)
            }
            Error::Database(e) if ck8s_db::is_unstorable(&e) => status::unstorable(),
            Error::Database(e) => status::internal(&e),
            Error::Seal(e) => status::internal(&e),
            Error::Open(e) => status::internal(&e),
            Error::StoredAnswer(e) => status::internal(&e),
            error @ Error::UnknownChangeKind(_) => status::internal(&error),
            Error::AnswerTooLarge => status::error(
                Code::ResourceExhausted,
                "ANSWER_TOO_LARGE",
                "the answer would be too large; ask for fewer at once",
                &[],
            ),
        }
    }
}

fn repository_exists(message: String, what: (&str, &str)) -> Status {
    status::error(Code::AlreadyExists, "REPOSITORY_EXISTS", message, &[what])
}

fn ambiguous(name: &str, ids: &[RepositoryId]) -> Status {
    let ids: Vec<String> = ids.iter().map(RepositoryId::to_string).collect();
    let ids = ids.join(", ");
    status::error(
        Code::FailedPrecondition,
        "REPOSITORY_AMBIGUOUS",
        format!("several projects have a repository named {name:?}; name it by its id: {ids}"),
        &[("repository", name), ("ids", &ids)],
    )
}

fn permissions_missing(missing: &[MissingPermission]) -> Status {
    let names: Vec<&str> = missing.iter().map(|m| m.permission.as_str()).collect();
    status::error(
        Code::FailedPrecondition,
        "PERMISSIONS_MISSING",
        format!("the credential lacks {}", describe_permissions(missing)),
        &[("permissions", &names.join(", "))],
    )
}

fn hook_unheard(url: &str, said: &str) -> Status {
    status::error(
        Code::FailedPrecondition,
        "HOOK_UNHEARD",
        format!(
            "stopped at waiting for the hook's ping: none came to {url}; the provider says of its last attempt: {said}. \
             Can this address be reached from outside?"
        ),
        &[("url", url), ("said", said)],
    )
}

fn provider_failed(step: &str, error: &ProviderError) -> Status {
    let (code, reason) = match error {
        ProviderError::Unauthenticated => (Code::FailedPrecondition, "CREDENTIAL_REFUSED"),
        ProviderError::Denied { .. } => (Code::FailedPrecondition, "PERMISSIONS_MISSING"),
        ProviderError::NotFound(_) => (Code::FailedPrecondition, "NOT_AT_PROVIDER"),
        ProviderError::Invalid(_) => (Code::FailedPrecondition, "PROVIDER_REFUSED"),
        ProviderError::RateLimited { .. } => (Code::Unavailable, "PROVIDER_LIMITED"),
        ProviderError::Unavailable(_) => (Code::Unavailable, "PROVIDER_UNAVAILABLE"),
    };
    let why = error.to_string();
    let mut metadata = vec![("step", step), ("why", why.as_str())];
    let until = match error {
        ProviderError::RateLimited { until, .. } => until.format(&Rfc3339).ok(),
        _ => None,
    };
    metadata.extend(until.as_deref().map(|until| ("until", until)));
    let message = format!("stopped at {step}: {error}");
    status::error(code, reason, message, &metadata)
}

/// Says which permissions are missing, and what for.
pub(crate) fn describe_permissions(missing: &[MissingPermission]) -> String {
    let each: Vec<String> = missing
        .iter()
        .map(|m| format!("{:?} (for {})", m.permission, m.needed_for))
        .collect();
    each.join(", ")
}
