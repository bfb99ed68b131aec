//! One call to a role of another process: its deadline, its address, and another try where the contract says that it may be repeated.
use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tower::{Service, ServiceExt};

use super::{MAX_MESSAGE, Peer, address::Place};
use crate::{guard::deadline, policy::Method, status};

/// How long a call waits for an address that serves: as long as a replica takes to be replaced, no longer than people wait.
const NO_ADDRESS: Duration = Duration::from_secs(5);
/// How often a call is made at most.
const TRIES: usize = 3;
/// The pause before the second try; before the third it is twice as long.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two hops only, or this process's business alone.
const NOT_FORWARDED: [header::HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::COOKIE,
    header::HOST,
    header::ORIGIN,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
];

/// What the contract says of a method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// One message each way, and doing it twice is as good as once.
    Repeatable,
    /// One message each way, once.
    Once,
    /// Streams, either way.
    Streaming,
}

impl Kind {
    pub fn of(method: &Method) -> Self {
        match (method.streaming, method.repeatable) {
            (true, _) => Self::Streaming,
            (false, true) => Self::Repeatable,
            (false, false) => Self::Once,
        }
    }
}

/// Makes the call; whatever goes wrong is a status.
pub(super) async fn call(peer: Peer, kind: Kind, mut request: Request<Body>) -> Response<Body> {
    for name in &NOT_FORWARDED {
        request.headers_mut().remove(name);
    }
    *request.version_mut() = Version::HTTP_2;
    let limit = deadline::of(request.headers(), kind == Kind::Streaming);
    let until = limit.map(|limit| Instant::now() + limit);
    let calling = async {
        match kind {
            Kind::Repeatable => repeatable(&peer, request, until).await,
            Kind::Once | Kind::Streaming => once(&peer, request, until).await,
        }
    };
    let answered = match until {
        Some(until) => tokio::time::timeout_at(until, calling).await,
        None => Ok(calling.await),
    };
    match answered {
        Ok(Ok(response)) => response,
        Ok(Err(status)) => status.into_http(),
        Err(_) => deadline::exceeded().into_http(),
    }
}

async fn once(
    peer: &Peer,
    mut request: Request<Body>,
    until: Option<Instant>,
) -> Result<Response<Body>, Status> {
    let place = place(peer, &[], until).await?;
    set_timeout(request.headers_mut(), until);
    let response = send(peer, place.channel.clone(), request).await?;
    let role = peer.role;
    Ok(response.map(|inner| {
        Body::new(Counted {
            inner: Some(inner),
            role,
            _place: place,
        })
    }))
}

async fn repeatable(
    peer: &Peer,
    request: Request<Body>,
    until: Option<Instant>,
) -> Result<Response<Body>, Status> {
    let (head, body) = request.into_parts();
    let bytes = Limited::new(body, MAX_MESSAGE + 5).collect().await;
    let bytes = bytes
        .map_err(|_| status::invalid("request", "it did not come in full, or is too large"))?
        .to_bytes();
    let mut tried: Vec<SocketAddr> = Vec::new();
    loop {
        let place = place(peer, &tried, until).await?;
        let mut request = Request::from_parts(head.clone(), Body::new(Full::new(bytes.clone())));
        set_timeout(request.headers_mut(), until);
        let answer = match send(peer, place.channel.clone(), request).await {
            Ok(response) => collected(peer, response).await,
            Err(status) => Err(status),
        };
        tried.push(place.at());
        match answer {
            Err(status) if status.code() == Code::Unavailable && tried.len() < TRIES => {
                metrics::counter!("ck8s_mesh_retries_total", "peer" => peer.role).increment(1);
                let pause = PAUSE * u32::try_from(tried.len()).unwrap_or(1);
                tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
            }
            answer => return answer,
        }
    }
}

async fn place(peer: &Peer, tried: &[SocketAddr], until: Option<Instant>) -> Result<Place, Status> {
    let patience = Instant::now() + NO_ADDRESS;
    let until = until.map_or(patience, |until| until.min(patience));
    peer.place(tried, until)
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

/// The whole answer. One that is UNAVAILABLE, wherever that stands, is an error, and so is one that breaks off.
async fn collected(peer: &Peer, response: Response<Body>) -> Result<Response<Body>, Status> {
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

/// What is left of the time, for the other end.
fn set_timeout(headers: &mut HeaderMap, until: Option<Instant>) {
    let Some(until) = until else { return };
    let left = until.saturating_duration_since(Instant::now()).as_millis();
    // Eight digits at most: about a day.
    let text = format!("{}m", left.clamp(1, 99_999_999));
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert("grpc-timeout", value);
    }
}

/// A response under way, which takes a place until it ends. One that breaks off ends with UNAVAILABLE.
struct Counted {
    inner: Option<Body>,
    role: &'static str,
    _place: Place,
}

impl HttpBody for Counted {
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
