//! The bound on the head of a request: its target and its headers.
use ck8s_rpc::mesh;
use http::{HeaderMap, StatusCode, Uri};

use crate::response::CodeResponse;

/// Bounds a head, counted as HTTP/2 counts it. Browsers and proxies send a few kilobytes, and whatever is let in here
/// fits into a call of the mesh.
pub(crate) const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Whether a head is larger.
pub(crate) fn is_too_large(target: &Uri, headers: &HeaderMap) -> bool {
    let target = target.path().len() + target.query().map_or(0, str::len);
    target + mesh::header_bytes(headers) > MAX_HEAD_BYTES
}

/// Refuses a request whose head is larger.
pub(crate) fn refusal() -> CodeResponse {
    let message = format!(
        "the headers and the path have more than {} KB",
        MAX_HEAD_BYTES / 1024
    );
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    CodeResponse::new(status, "HEAD_TOO_LARGE", &message)
}
