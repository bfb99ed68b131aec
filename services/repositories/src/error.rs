//! What goes wrong, and how each of it looks on the wire.
use ck8s_provider::{Lacking, ProviderError};
use ck8s_rpc::{convert, status};
use ck8s_types::{Invalid, ProjectId, RequestId};
use thiserror::Error;
use time::format_description::well_known::Rfc3339;
use tonic::{Code, Status};

use ck8s_sealing::{OpenError, SealError};

/// Why a call did not do what it was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// A field cannot be taken.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no such repository.
    #[error("no repository {0:?}")]
    NotFound(String),
    /// There is no such project.
    #[error("no project {0}")]
    ProjectNotFound(ProjectId),
    /// A live repository has this provider's id.
    #[error("a repository with external_id {0:?} exists")]
    ExternalIdTaken(String),
    /// A live repository has this name.
    #[error("a repository named {0:?} exists")]
    NameTaken(String),
    /// The etag is not the repository's: somebody was there first.
    #[error("the repository has changed since it was read")]
    Changed,
    /// The request id was used for another method.
    #[error("request id {0} was used for another call")]
    RequestIdReused(RequestId),
    /// The server was not set up to look after repositories at their provider.
    #[error("no provider is set up")]
    NoProvider,
    /// Nothing is shown to the provider for this repository.
    #[error("no credential for {0:?}")]
    NoCredential(String),
    /// Something else is being changed about it at its provider.
    #[error("{0:?} is being changed")]
    Busy(String),
    /// The credential lacks permissions.
    #[error("the credential lacks {}", words(.0))]
    Lacking(Vec<Lacking>),
    /// The provider did not do what it was asked.
    #[error("stopped at {step}: {error}")]
    Provider {
        /// What was being done.
        step: &'static str,
        /// Why not.
        error: ProviderError,
    },
    /// The hook's ping did not come.
    #[error(
        "stopped at waiting for the hook's ping: none came to {url}; the provider was answered: {said}"
    )]
    Unheard {
        /// Where it posts to.
        url: String,
        /// What the provider says of its last try.
        said: String,
    },
    /// It was checked a moment ago.
    #[error("checked too often; again in {0:?}")]
    TooOften(std::time::Duration),
    /// Another service said no, in the contract's words.
    #[error("a peer answered {}", .0.code())]
    Peer(Box<Status>),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A value cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A sealed value does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A stored answer cannot be read.
    #[error("a stored answer: {0}")]
    Answer(#[from] prost::DecodeError),
    /// An answer would be larger than a message may be.
    #[error("the answer is too large")]
    TooLarge,
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(invalid) => convert::invalid(&invalid),
            Error::NotFound(name) => status::not_found("repository", name),
            Error::ProjectNotFound(id) => status::not_found("project", id),
            Error::ExternalIdTaken(id) => status::error(
                Code::AlreadyExists,
                "REPOSITORY_EXISTS",
                format!("a repository with external_id {id:?} exists"),
                &[("external_id", &id)],
            ),
            Error::NameTaken(name) => status::error(
                Code::AlreadyExists,
                "REPOSITORY_EXISTS",
                format!("a repository named {name:?} exists"),
                &[("full_name", &name)],
            ),
            Error::Changed => status::aborted(
                "REPOSITORY_CHANGED",
                "the repository has changed since it was read; read it again",
            ),
            Error::RequestIdReused(_) => {
                status::invalid("request_id", "was used for another call; take a fresh one")
            }
            Error::NoProvider => status::precondition(
                "NO_PROVIDER",
                "this server looks after no hooks: its public address is not known (CK8S_PUBLIC_URL)",
            ),
            Error::NoCredential(name) => status::precondition(
                "NO_CREDENTIAL",
                format!("ck8s has no credential for {name}: it is looked after by hand"),
            ),
            Error::Busy(name) => status::aborted(
                "REPOSITORY_BUSY",
                format!("{name} is being changed at its provider; try again"),
            ),
            Error::Lacking(lacking) => status::error(
                Code::FailedPrecondition,
                "PERMISSIONS_MISSING",
                format!("the credential lacks {}", words(&lacking)),
                &[("permissions", &permissions(&lacking))],
            ),
            Error::Provider { step, error } => provider(step, &error),
            Error::Unheard { url, said } => status::error(
                Code::FailedPrecondition,
                "HOOK_UNHEARD",
                format!(
                    "stopped at waiting for the hook's ping: none came to {url}; the provider says of its last try: {said}. \
                     Does this address lead here from outside?"
                ),
                &[("url", &url), ("said", &said)],
            ),
            Error::TooOften(wait) => status::limited("checks of one repository", wait),
            Error::Peer(status) => *status,
            Error::Database(e) if ck8s_db::is_unavailable(&e) || ck8s_db::is_retryable(&e) => {
                status::unavailable("the database", &e)
            }
            Error::Database(e) => status::internal(&e),
            Error::Seal(e) => status::internal(&e),
            Error::Open(e) => status::internal(&e),
            Error::Answer(e) => status::internal(&e),
            Error::TooLarge => status::error(
                Code::ResourceExhausted,
                "ANSWER_TOO_LARGE",
                "the answer would be too large; ask for fewer at once",
                &[],
            ),
        }
    }
}

fn permissions(lacking: &[Lacking]) -> String {
    let names: Vec<&str> = lacking.iter().map(|l| l.permission.as_str()).collect();
    names.join(", ")
}

/// What is lacking, and what for.
pub fn words(lacking: &[Lacking]) -> String {
    let each: Vec<String> = lacking
        .iter()
        .map(|l| format!("{:?} (for {})", l.permission, l.needed_for))
        .collect();
    each.join(", ")
}

fn provider(step: &str, error: &ProviderError) -> Status {
    let (code, reason) = match error {
        ProviderError::Unauthenticated => (Code::FailedPrecondition, "CREDENTIAL_REFUSED"),
        ProviderError::Denied { .. } => (Code::FailedPrecondition, "PERMISSIONS_MISSING"),
        ProviderError::NotFound(_) => (Code::FailedPrecondition, "NOT_AT_PROVIDER"),
        ProviderError::Invalid(_) => (Code::FailedPrecondition, "PROVIDER_REFUSED"),
        ProviderError::Limited { .. } => (Code::Unavailable, "PROVIDER_LIMITED"),
        ProviderError::Unavailable(_) => (Code::Unavailable, "PROVIDER_UNAVAILABLE"),
    };
    let why = error.to_string();
    let mut told = vec![("step", step), ("why", why.as_str())];
    let until = match error {
        ProviderError::Limited { until, .. } => until.format(&Rfc3339).ok(),
        _ => None,
    };
    told.extend(until.as_deref().map(|until| ("until", until)));
    status::error(code, reason, format!("stopped at {step}: {error}"), &told)
}
