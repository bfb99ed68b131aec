//! The errors of reading and replaying deliveries, and the status that each becomes.
use ck8s_db::{is_unavailable, request_ids::RequestError};
use ck8s_rpc::status;
use ck8s_types::{DeliveryId, RequestId};
use thiserror::Error;
use tonic::Status;

use crate::domain::unavailable::ServiceUnavailable;

/// An error of reading, replaying, handling or recovering deliveries.
#[derive(Debug, Error)]
pub(crate) enum IngressError {
    /// The delivery does not exist, or the caller may not see it.
    #[error("no delivery {0:?}")]
    NotFound(String),
    /// The caller may not do this, in the contract's words.
    #[error("refused: {}", .0.code())]
    Refused(Box<Status>),
    /// Another service is unavailable. What was asked for is stored and happens later.
    #[error(transparent)]
    Unavailable(#[from] ServiceUnavailable),
    /// The request id was used for another request before.
    #[error("the request id {0} was used for another request")]
    RequestIdReused(RequestId),
    /// The database failed.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// A stored delivery cannot be read.
    #[error("delivery {0} cannot be read: {1}")]
    Corrupt(DeliveryId, String),
}

impl From<RequestError> for IngressError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Reused(id) => Self::RequestIdReused(id),
            RequestError::Database(cause) => Self::Database(cause),
        }
    }
}

impl From<IngressError> for Status {
    fn from(error: IngressError) -> Self {
        match &error {
            IngressError::Refused(status) => Status::clone(status),
            IngressError::NotFound(id) => status::not_found("delivery", id),
            IngressError::RequestIdReused(id) => status::request_id_reused(*id),
            IngressError::Unavailable(cause) => status::unavailable(cause.service, cause),
            IngressError::Database(cause) if is_unavailable(cause) => {
                status::unavailable("database", cause)
            }
            IngressError::Database(_) | IngressError::Corrupt(..) => status::internal(&error),
        }
    }
}
