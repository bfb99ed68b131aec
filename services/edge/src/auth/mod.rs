//! `/auth/…`: what a browser needs to sign in, and to go on with its session. Who somebody is, auth decides; here are the redirects,
//! the cookies and the pages.
mod asked;
mod cookie;
mod login;
mod page;
mod session;

use std::{net::IpAddr, sync::Arc, time::Instant};

use ck8s_proto::auth::v1::{ListSigningKeysRequest, auth_service_client::AuthServiceClient};
use ck8s_rpc::{
    mesh::Channel,
    rate::{Rate, subscriber, whole_seconds},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt;

use crate::{answer, auth::page::Page};

/// Where the public keys of access tokens are.
const KEYS: &str = "/.well-known/jwks.json";
/// How long somebody may keep them: short, since a key can be retired at once.
const KEYS_KEPT: &str = "public, max-age=60";

/// What signs browsers in; a clone is the same.
#[derive(Clone)]
pub(crate) struct SignIn {
    auth: AuthServiceClient<Channel>,
    /// Where people reach the console.
    public_url: Option<Arc<str>>,
    rate: Arc<Rate<IpAddr>>,
}

/// How an error looks to a script.
#[derive(serde::Serialize)]
struct Refusal<'a> {
    code: &'a str,
    message: &'a str,
}

impl SignIn {
    /// Over a channel on which the caller is the role edge.
    pub(crate) fn new(mesh: Channel, public_url: Option<String>, rate: Arc<Rate<IpAddr>>) -> Self {
        Self {
            auth: AuthServiceClient::new(mesh),
            public_url: public_url.map(Into::into),
            rate,
        }
    }

    /// Whether a path is for it.
    pub(crate) fn takes(path: &str) -> bool {
        path.starts_with("/auth/") || path == KEYS
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Incoming>, from: IpAddr) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let wanted = match path.as_str() {
            "/auth/github/login" | "/auth/github/callback" | KEYS => Method::GET,
            "/auth/refresh" | "/auth/sign-out" | "/auth/link" => Method::POST,
            _ => return refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here"),
        };
        if request.method() != wanted {
            let message = format!("only {wanted} is taken here");
            let mut response = refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                &message,
            );
            let allow = if wanted == Method::GET { "GET" } else { "POST" };
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static(allow));
            return response;
        }
        let for_people = path.starts_with("/auth/github/");
        if let Err(wait) = self.rate.take(subscriber(from), Instant::now()) {
            let limited = ck8s_rpc::status::limited("sign-ins from this address", wait);
            return if for_people {
                Page::of(&limited).into_response()
            } else {
                refused(&limited)
            };
        }
        match path.as_str() {
            "/auth/github/login" => self.login(&request).await,
            "/auth/github/callback" => self.callback(&request).await,
            "/auth/refresh" => self.refresh(request).await,
            "/auth/sign-out" => self.sign_out(request).await,
            "/auth/link" => self.link(request).await,
            _ => self.keys().await,
        }
    }

    async fn keys(&self) -> Response<Body> {
        let request = asked::with_deadline(ListSigningKeysRequest {});
        match self.auth.clone().list_signing_keys(request).await {
            Ok(listed) => {
                let mut response = answer::raw_json(listed.into_inner().jwks.into());
                let kept = HeaderValue::from_static(KEYS_KEPT);
                response.headers_mut().insert(header::CACHE_CONTROL, kept);
                response
            }
            Err(status) => refused(&status),
        }
    }

    /// Whether cookies go over TLS alone.
    fn secure(&self) -> bool {
        self.public_url
            .as_deref()
            .is_some_and(|url| url.starts_with("https://"))
    }
}

/// What a status is in HTTP.
fn http_status(status: &Status) -> StatusCode {
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// When to come back, in seconds.
fn retry_after(status: &Status) -> Option<u32> {
    let info = status.get_details_retry_info()?;
    info.retry_delay.map(whole_seconds)
}

/// A status, for a script.
fn refused(status: &Status) -> Response<Body> {
    let code = status.get_details_error_info().map(|info| info.reason);
    let code = code.unwrap_or_else(|| "UNAVAILABLE".to_owned());
    let mut response = refusal(http_status(status), &code, status.message());
    set_retry_after(&mut response, status);
    response
}

fn set_retry_after(response: &mut Response<Body>, status: &Status) {
    if let Some(seconds) = retry_after(status) {
        let value = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    answer::json(status, &Refusal { code, message })
}
