//! How errors look on the wire: one `ErrorInfo` (UPPER_SNAKE reason, domain `ck8s`, the message's variables),
//! `BadRequest` for fields, `RetryInfo` where trying again helps. The cause of an internal error is logged here, once,
//! and never sent. (AIP-193)
use std::{collections::HashMap, fmt::Display, time::Duration};

use bytes::Bytes;
use ck8s_types::ProjectRole;
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "ck8s";
/// Bounds a message: it may repeat the caller's words, and travels in headers, which a connection bounds for all its
/// calls.
const MAX_MESSAGE_BYTES: usize = 1_000;
/// Bounds a value of the metadata, which may repeat the caller's words too: the longest name that is valid, an email
/// address, fits.
const MAX_METADATA_BYTES: usize = 256;

/// Bounds a status in headers: what is made here stays below.
const MAX_STATUS_BYTES: usize = 8 * 1024;

/// A status with an `ErrorInfo`.
#[must_use]
pub fn error(
    code: Code,
    reason: &str,
    message: impl Into<String>,
    metadata: &[(&str, &str)],
) -> Status {
    with_details(code, message, info(reason, metadata))
}

/// Every status of this module is made here: so none is too large for the headers.
fn with_details(code: Code, message: impl Into<String>, details: ErrorDetails) -> Status {
    let message = shortened(&message.into(), MAX_MESSAGE_BYTES);
    Status::with_error_details(code, message, details)
}

/// Cuts a text that is longer, and marks the cut.
fn shortened(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max_bytes - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// Shortens the status in headers or trailers, if it is larger than any of this module: a library that writes its own
/// may repeat the caller's words too.
pub(crate) fn shorten(headers: &mut HeaderMap) {
    let bytes = |name: HeaderName| headers.get(name).map_or(0, HeaderValue::len);
    if bytes(Status::GRPC_MESSAGE) + bytes(Status::GRPC_STATUS_DETAILS) <= MAX_STATUS_BYTES {
        return;
    }
    let Some(status) = Status::from_header_map(headers) else {
        return;
    };
    let message = shortened(status.message(), MAX_MESSAGE_BYTES);
    headers.remove(Status::GRPC_STATUS_DETAILS);
    // Percent-encoding makes every message a header value.
    if Status::new(status.code(), message)
        .add_header(headers)
        .is_err()
    {
        headers.remove(Status::GRPC_MESSAGE);
    }
}

fn info(reason: &str, metadata: &[(&str, &str)]) -> ErrorDetails {
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(name, value)| ((*name).to_owned(), shortened(value, MAX_METADATA_BYTES)))
        .collect();
    ErrorDetails::with_error_info(reason, DOMAIN, metadata)
}

/// NOT_FOUND: there is no such thing, or none that the caller may see.
#[must_use]
pub fn not_found(kind: &str, id: impl Display) -> Status {
    let id = id.to_string();
    let reason = format!("{}_NOT_FOUND", kind.to_uppercase());
    error(
        Code::NotFound,
        &reason,
        format!("no {kind} {id:?}"),
        &[(kind, &id)],
    )
}

/// INVALID_ARGUMENT with the field and what is wrong with it.
#[must_use]
pub fn invalid(field: &str, problem: impl Into<String>) -> Status {
    let problem = problem.into();
    let mut details = info("INVALID_FIELD", &[("field", field)]);
    let violation = shortened(field, MAX_METADATA_BYTES);
    details.add_bad_request_violation(violation, shortened(&problem, MAX_MESSAGE_BYTES));
    with_details(
        Code::InvalidArgument,
        format!("{field}: {problem}"),
        details,
    )
}

/// FAILED_PRECONDITION: the state does not allow it.
#[must_use]
pub fn precondition(reason: &str, message: impl Into<String>) -> Status {
    error(Code::FailedPrecondition, reason, message, &[])
}

/// ALREADY_EXISTS.
#[must_use]
pub fn exists(kind: &str, id: impl Display) -> Status {
    let id = id.to_string();
    let reason = format!("{}_EXISTS", kind.to_uppercase());
    error(
        Code::AlreadyExists,
        &reason,
        format!("{kind} {id:?} exists"),
        &[(kind, &id)],
    )
}

/// INVALID_ARGUMENT: a text holds what no text of the database can. The database does not say which one.
#[must_use]
pub fn unstorable() -> Status {
    let message = "a text of the request holds a NUL character, which no name has";
    error(Code::InvalidArgument, "TEXT_INVALID", message, &[])
}

/// ABORTED: somebody else was first; read again, then decide.
#[must_use]
pub fn aborted(reason: &str, message: impl Into<String>) -> Status {
    error(Code::Aborted, reason, message, &[])
}

/// UNAUTHENTICATED. Says nothing about why, so that a stranger learns nothing.
#[must_use]
pub fn unauthenticated() -> Status {
    error(
        Code::Unauthenticated,
        "UNAUTHENTICATED",
        "a valid token is needed: send `authorization: Bearer <token>`",
        &[],
    )
}

/// PERMISSION_DENIED.
#[must_use]
pub fn denied(method: &str) -> Status {
    error(
        Code::PermissionDenied,
        "NOT_ALLOWED",
        format!("this caller may not call {method}"),
        &[("method", method)],
    )
}

/// PERMISSION_DENIED: a person who has a lesser role, there or anywhere.
#[must_use]
pub fn role_needed(role: ProjectRole) -> Status {
    error(
        Code::PermissionDenied,
        "ROLE_NEEDED",
        format!("the project role {role} is needed for this"),
        &[("role", role.as_str())],
    )
}

/// UNAUTHENTICATED: the token of an open stream is no longer valid.
#[must_use]
pub fn token_ended() -> Status {
    error(
        Code::Unauthenticated,
        "TOKEN_ENDED",
        "the token that opened this stream is no longer valid",
        &[],
    )
}

/// PERMISSION_DENIED: the rights of the caller of an open stream have changed.
#[must_use]
pub fn access_changed() -> Status {
    error(
        Code::PermissionDenied,
        "ACCESS_CHANGED",
        "your access changed: open it again",
        &[],
    )
}

/// Returns the status of a peer for our own caller, without the headers that it came with.
#[must_use]
pub fn of_peer(peer: &Status) -> Status {
    let details = Bytes::copy_from_slice(peer.details());
    Status::with_details(peer.code(), peer.message(), details)
}

/// UNAVAILABLE, with when to try again. The caller learns `what`; `cause` is only logged.
#[must_use]
pub fn unavailable(what: &str, cause: &dyn Display) -> Status {
    tracing::warn!(%cause, what, "unavailable");
    unreachable(what)
}

/// UNAVAILABLE: this server shuts down. Another one, or the next one, can be called at once.
#[must_use]
pub fn stopping() -> Status {
    unreachable("this server")
}

fn unreachable(what: &str) -> Status {
    let mut details = info("UNAVAILABLE", &[("what", what)]);
    details.set_retry_info(Some(Duration::from_secs(1)));
    with_details(
        Code::Unavailable,
        format!("{what} cannot be reached now; try again"),
        details,
    )
}

/// RESOURCE_EXHAUSTED: too often. Says when to come back.
#[must_use]
pub fn limited(what: &str, wait: Duration) -> Status {
    let mut details = info("RATE_LIMITED", &[("what", what)]);
    details.set_retry_info(Some(wait));
    let seconds = crate::rate::whole_seconds(wait);
    let message = format!("too many {what}; come back in {seconds} s");
    with_details(Code::ResourceExhausted, message, details)
}

/// RESOURCE_EXHAUSTED: the headers of the call are too large to hand it on.
#[must_use]
pub fn headers_too_large() -> Status {
    error(
        Code::ResourceExhausted,
        "HEADERS_TOO_LARGE",
        "the headers of the call are too large",
        &[],
    )
}

/// INTERNAL: a fault of ours. The cause is logged and not sent.
#[must_use]
pub fn internal(cause: &dyn Display) -> Status {
    tracing::error!(%cause, "internal error");
    error(
        Code::Internal,
        "INTERNAL",
        "an internal error; the server's log has it",
        &[],
    )
}

/// INVALID_ARGUMENT: the request id was used for another request before.
#[must_use]
pub fn request_id_reused(id: ck8s_types::RequestId) -> Status {
    let problem = "was used for another request: take a fresh one";
    let id = id.to_string();
    let mut details = info("REQUEST_ID_REUSED", &[("request_id", &id)]);
    details.add_bad_request_violation("request_id", problem);
    with_details(
        Code::InvalidArgument,
        format!("request_id: {id} {problem}"),
        details,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a status on the wire.
    fn wire_bytes(status: &Status) -> usize {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        headers.values().map(HeaderValue::len).sum()
    }

    #[test]
    fn a_status_that_repeats_the_callers_words_fits_into_headers() {
        for word in ["x", "é", "…", "\0", "\"", "%"] {
            let long = word.repeat(100_000);
            for status in [
                not_found("project", &long),
                exists("project", &long),
                invalid("project", long.clone()),
                invalid(&long, "not valid"),
                precondition("REASON", long.clone()),
                denied(&long),
                unavailable(&long, &"cause"),
                limited(&long, Duration::from_secs(1)),
                error(Code::Aborted, "REASON", long.clone(), &[("user", &long)]),
            ] {
                assert!(
                    wire_bytes(&status) < MAX_STATUS_BYTES,
                    "{}",
                    wire_bytes(&status)
                );
            }
        }
    }

    #[test]
    fn a_text_is_cut_between_characters_and_a_short_one_stays() {
        assert_eq!(shortened("repository", 10), "repository");
        assert_eq!(shortened("repositories", 10), "reposit…");
        assert_eq!(shortened("ééééé", 8), "éé…");
        let status = not_found("project", "a");
        assert_eq!(status.message(), "no project \"a\"");
    }
}
