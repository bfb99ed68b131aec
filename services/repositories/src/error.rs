//! What goes wrong, and how each of it looks on the wire.
use ck8s_rpc::{convert, status};
use ck8s_types::{Invalid, ProjectId, RequestId};
use thiserror::Error;
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
