//! What the failure of a call means: the service is unavailable.
use tonic::Status;

use crate::domain::unavailable::ServiceUnavailable;

/// The repositories service answered with this status.
pub(super) fn repositories_unavailable(status: &Status) -> ServiceUnavailable {
    ServiceUnavailable::repositories(format!("{:?}", status.code()))
}
