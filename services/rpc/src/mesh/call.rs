//! One call to a role of another process: its deadline, its address, and more attempts where the contract says that it
//! may be repeated.
use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tower::{Service, ServiceExt};

use super::{Peer, address::Permit, http2};
use crate::{deadline, policy::Method, status};

/// How long a call waits for an address that serves: as long as a replica takes to be replaced, no longer than people
/// wait.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(5);
/// Bounds how often a call is made: more would only add load to a role in trouble.
const MAX_ATTEMPTS: usize = 3;
/// The pause before the second attempt; before the third it is twice as long.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// What gRPC puts in front of each message.
const FRAME_HEADER_BYTES: usize = 5;
/// Headers that mean one hop only, or this process alone.
const HOP_HEADERS: [header::HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::COOKIE,
    header::HOST,
    header::ORIGIN,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
];

/// What the contract says about calls of a method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallKind {
    /// One message each way, and doing it twice is as good as once.
    Repeatable,
    /// One message each way, once.
    Once,
    /// Streams, either way.
    Streaming,
}

impl CallKind {
    pub(super) fn of(method: &Method) -> Self {
        match (method.streaming, method.repeatable) {
            (true, _) => Self::Streaming,
            (false, true) => Self::Repeatable,
            (false, false) => Self::Once,
        }
    }
}

/// How the method at a path is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CallPlan {
    pub(super) kind: CallKind,
    /// Bounds the message of a call that may be repeated: it is held in memory until the response.
    pub(super) max_message_bytes: usize,
}

/// Makes the call. Whatever goes wrong becomes a status.
pub(super) async fn call(peer: Peer, plan: CallPlan, mut request: Request<Body>) -> Response<Body> {
    let CallPlan {
        kind,
        max_message_bytes,
    } = plan;
    for name in &HOP_HEADERS {
        request.headers_mut().remove(name);
    }
    if !http2::fit(request.headers()) {
        return status::headers_too_large().into_http();
    }
    *request.version_mut() = Version::HTTP_2;
    let limit = deadline::of(request.headers(), kind == CallKind::Streaming);
    let until = limit.map(|limit| Instant::now() + limit);
    let attempts = async {
        match kind {
            CallKind::Repeatable => call_repeatedly(&peer, request, max_message_bytes, until).await,
            CallKind::Once | CallKind::Streaming => call_once(&peer, request, until).await,
        }
    };
    let result = match until {
        Some(until) => tokio::time::timeout_at(until, attempts).await,
        None => Ok(attempts.await),
    };
    match result {
        Ok(Ok(response)) => response,
        Ok(Err(status)) => status.into_http(),
        Err(_) => deadline::exceeded().into_http(),
    }
}

async fn call_once(
    peer: &Peer,
    mut request: Request<Body>,
    until: Option<Instant>,
) -> Result<Response<Body>, Status> {
    let permit = acquire(peer, &[], until).await?;
    set_timeout(request.headers_mut(), until);
    let response = send(peer, permit.channel.clone(), request).await?;
    let role = peer.role;
    Ok(response.map(|inner| {
        Body::new(PermitBody {
            inner: Some(inner),
            role,
            _permit: permit,
        })
    }))
}

async fn call_repeatedly(
    peer: &Peer,
    request: Request<Body>,
    max_message_bytes: usize,
    until: Option<Instant>,
) -> Result<Response<Body>, Status> {
    let (head, body) = request.into_parts();
    let bytes = buffer(body, max_message_bytes).await?;
    let mut tried: Vec<SocketAddr> = Vec::new();
    loop {
        let permit = acquire(peer, &tried, until).await?;
        let mut request = Request::from_parts(head.clone(), Body::new(Full::new(bytes.clone())));
        set_timeout(request.headers_mut(), until);
        let result = match send(peer, permit.channel.clone(), request).await {
            Ok(response) => collect(peer, response).await,
            Err(status) => Err(status),
        };
        tried.push(permit.address());
        match result {
            Err(status) if status.code() == Code::Unavailable && tried.len() < MAX_ATTEMPTS => {
                metrics::counter!("ck8s_mesh_retries_total", "peer" => peer.role).increment(1);
                let pause = RETRY_PAUSE * u32::try_from(tried.len()).unwrap_or(1);
                tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
            }
            result => return result,
        }
    }
}

/// Reads the whole request, which may hold a message of so many bytes.
async fn buffer(body: Body, max_message_bytes: usize) -> Result<Bytes, Status> {
    let bytes = Limited::new(body, max_message_bytes + FRAME_HEADER_BYTES)
        .collect()
        .await;
    let bytes = bytes.map_err(|error| match error.downcast::<Status>() {
        Ok(refused) => *refused,
        Err(_) => status::invalid("request", "it broke off, or is too large"),
    })?;
    Ok(bytes.to_bytes())
}

/// A permit for one call, on an address that was not tried before if there is one.
async fn acquire(
    peer: &Peer,
    tried: &[SocketAddr],
    until: Option<Instant>,
) -> Result<Permit, Status> {
    let limit = Instant::now() + ADDRESS_TIMEOUT;
    let until = until.map_or(limit, |until| until.min(limit));
    peer.acquire(tried, until)
        .await
        .ok_or_else(|| unavailable(peer.role, &"no address serves"))
}

async fn send(
    peer: &Peer,
    mut channel: tonic::transport::Channel,
    request: Request<Body>,
) -> Result<Response<Body>, Status> {
    let sent = async { channel.ready().await?.call(request).await };
    sent.await.map_err(|error| {
        let cause = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), ToString::to_string);
        unavailable(peer.role, &cause)
    })
}

/// Reads the whole response. One that is UNAVAILABLE, in its headers or trailers, is an error, and so is one that
/// breaks off.
async fn collect(peer: &Peer, response: Response<Body>) -> Result<Response<Body>, Status> {
    let (head, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|broken| unavailable(peer.role, &broken))?;
    for headers in [Some(&head.headers), body.trailers()].into_iter().flatten() {
        if let Some(status) = Status::from_header_map(headers)
            && status.code() == Code::Unavailable
        {
            return Err(status);
        }
    }
    Ok(Response::from_parts(head, Body::new(body)))
}

fn unavailable(role: &str, cause: &dyn std::fmt::Display) -> Status {
    status::unavailable(&format!("the role {role}"), cause)
}

/// Tells the other end how much of the time is left.
fn set_timeout(headers: &mut HeaderMap, until: Option<Instant>) {
    let Some(until) = until else { return };
    deadline::set(headers, until.saturating_duration_since(Instant::now()));
}

/// A response under way, which holds its permit until it ends. One that breaks off ends with UNAVAILABLE.
struct PermitBody {
    inner: Option<Body>,
    role: &'static str,
    _permit: Permit,
}

impl HttpBody for PermitBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        match std::task::ready!(Pin::new(inner).poll_frame(cx)) {
            Some(Err(broken)) => {
                self.inner = None;
                let status = unavailable(self.role, &broken);
                let mut trailers = HeaderMap::new();
                Poll::Ready(Some(
                    status
                        .add_header(&mut trailers)
                        .map(|()| Frame::trailers(trailers)),
                ))
            }
            polled => Poll::Ready(polled),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_that_is_too_large_is_not_held_in_memory() {
        let body = |bytes: usize| Body::new(Full::new(Bytes::from(vec![0; bytes])));
        assert!(buffer(body(100 + FRAME_HEADER_BYTES), 100).await.is_ok());
        let error = buffer(body(101 + FRAME_HEADER_BYTES), 100).await;
        assert_eq!(error.unwrap_err().code(), Code::InvalidArgument);
    }
}
