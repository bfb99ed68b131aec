//! What goes wrong for a caller of the inbox, and how it looks on the wire.
use ck8s_db::is_unavailable;
use ck8s_rpc::status;
use thiserror::Error;
use tonic::Status;

use crate::peers::Away;

/// What goes wrong for a caller of the inbox.
#[derive(Debug, Error)]
pub(crate) enum IngressError {
    /// There is no such delivery.
    #[error("no delivery {0:?}")]
    NotFound(String),
    /// The caller may not, in the contract's words.
    #[error("refused: {}", .0.code())]
    Refused(Box<Status>),
    /// A service that is needed is away. What was asked for is stored and happens later.
    #[error(transparent)]
    Away(#[from] Away),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// What is stored cannot be read.
    #[error("delivery {0} cannot be read: {1}")]
    Corrupt(ck8s_types::DeliveryId, String),
}

impl From<IngressError> for Status {
    fn from(error: IngressError) -> Self {
        match &error {
            IngressError::Refused(status) => Status::clone(status),
            IngressError::NotFound(id) => status::not_found("delivery", id),
            IngressError::Away(away) => status::unavailable(away.service, away),
            IngressError::Database(cause) if is_unavailable(cause) => {
                status::unavailable("database", cause)
            }
            IngressError::Database(_) | IngressError::Corrupt(..) => status::internal(&error),
        }
    }
}
