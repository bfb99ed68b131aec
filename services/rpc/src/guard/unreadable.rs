//! Requests that no handler has seen, because they could not be read. tonic and tonic-web answer a message that they
//! cannot decode with INTERNAL, as if the fault were ours.
use http::HeaderMap;
use tonic::{Code, Status};

use crate::status;

/// The header with a status's details. Every status of ours has some (`status`); tonic's own have none.
const DETAILS: &str = "grpc-status-details-bin";

/// Returns what to answer instead of this head; none: the answer is a handler's.
pub(super) fn refusal(head: &HeaderMap) -> Option<Status> {
    let code = head.get(Status::GRPC_STATUS)?;
    let is_internal = Code::from_bytes(code.as_bytes()) == Code::Internal;
    (is_internal && !head.contains_key(DETAILS)).then(|| {
        status::error(
            Code::InvalidArgument,
            "MESSAGE_INVALID",
            "the body is not a message of this method",
            &[],
        )
    })
}
