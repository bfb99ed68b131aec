//! What every call carries: who makes it, and its request id.
use std::pin::Pin;

use ck8s_db::request_ids::RequestKey;
use ck8s_rpc::{caller, convert::optional_id, project_access};
use ck8s_types::without_nul;
use prost::Message;
use tokio_stream::Stream;
use tonic::{Request, Status};

use crate::service::Requester;

/// A stream of responses.
pub(super) type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Who makes the call, and what they reach.
pub(super) fn requester<T>(request: &Request<T>) -> Requester {
    Requester {
        caller: caller::caller(request),
        access: project_access::of(request),
    }
}

/// What makes a call safe to repeat; None: it carries no request id.
pub(super) fn request_key<M: Message>(
    method: &'static str,
    id: &str,
    request: &M,
) -> Result<Option<RequestKey>, Status> {
    let id = optional_id("request_id", id)?;
    Ok(id.map(|id| RequestKey::new(id, method, &request.encode_to_vec())))
}

/// Reads a text that may be left out.
pub(super) fn optional(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Reads a message for people: without NUL characters, which PostgreSQL refuses, and not longer than this.
pub(super) fn message(text: &str, max_chars: usize) -> String {
    without_nul(text).chars().take(max_chars).collect()
}
