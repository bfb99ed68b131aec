//! The endpoints below `/auth/` and the public keys: each path has its method and its rate limit.
use std::{net::IpAddr, sync::Arc, time::Duration};

use ck8s_proto::auth::v1::{ListSigningKeysRequest, auth_service_client::AuthServiceClient};
use ck8s_rpc::{
    mesh::Channel,
    rate::{Rate, subscriber},
    status,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tonic::body::Body;

use super::{cookies::Transport, error_page::ErrorPage};
use crate::response::{CodeResponse, raw_json};

/// The path of the public keys of access tokens.
const KEYS_PATH: &str = "/.well-known/jwks.json";
/// How long a client may keep the keys: short, because a key can be retired at once.
const KEYS_CACHE_CONTROL: &str = "public, max-age=60";
/// Bounds a call of auth, which may have to ask the provider three times.
const AUTH_TIMEOUT: Duration = Duration::from_secs(30);

/// The endpoints of sign-in and sessions; a clone is the same.
#[derive(Clone)]
pub(crate) struct AuthEndpoints {
    pub(super) auth: AuthServiceClient<Channel>,
    /// The address at which people reach the console.
    pub(super) public_url: Option<Arc<str>>,
    rate: Arc<Rate<IpAddr>>,
}

impl AuthEndpoints {
    /// `channel` leads to the auth service, as the role `edge`.
    pub(crate) fn new(
        channel: Channel,
        public_url: Option<String>,
        rate: Arc<Rate<IpAddr>>,
    ) -> Self {
        Self {
            auth: AuthServiceClient::new(channel.with_timeout(AUTH_TIMEOUT)),
            public_url: public_url.map(Into::into),
            rate,
        }
    }

    /// Returns whether a path belongs to these endpoints.
    pub(crate) fn serves(path: &str) -> bool {
        path.starts_with("/auth/") || path == KEYS_PATH
    }

    /// Answers a request.
    pub(crate) async fn handle(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
    ) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let (method, allow) = match path.as_str() {
            "/auth/github/login" | "/auth/github/callback" | KEYS_PATH => (Method::GET, "GET"),
            "/auth/refresh" | "/auth/sign-out" | "/auth/link" => (Method::POST, "POST"),
            _ => return CodeResponse::not_found().into_response(),
        };
        if request.method() != method {
            return CodeResponse::method_not_allowed(allow).into_response();
        }
        if let Err(wait) = self.rate.check(subscriber(client)) {
            let limited = status::limited("sign-ins from this address", wait);
            let is_for_people = path.starts_with("/auth/github/");
            return if is_for_people {
                ErrorPage::new(&limited).into_response()
            } else {
                CodeResponse::from(&limited).into_response()
            };
        }
        match path.as_str() {
            "/auth/github/login" => self.start_sign_in(&request).await,
            "/auth/github/callback" => self.finish_sign_in(&request).await,
            "/auth/refresh" => self.refresh(request).await,
            "/auth/sign-out" => self.sign_out(request).await,
            "/auth/link" => self.redeem_link(request).await,
            _ => self.signing_keys().await,
        }
    }

    async fn signing_keys(&self) -> Response<Body> {
        let request = ListSigningKeysRequest {};
        match self.auth.clone().list_signing_keys(request).await {
            Ok(keys) => {
                let mut response = raw_json(StatusCode::OK, keys.into_inner().jwks.into());
                let cache_control = HeaderValue::from_static(KEYS_CACHE_CONTROL);
                let headers = response.headers_mut();
                headers.insert(header::CACHE_CONTROL, cache_control);
                response
            }
            Err(status) => CodeResponse::from(&status).into_response(),
        }
    }

    /// Cookies go over TLS alone where people reach the console over TLS.
    pub(super) fn cookie_transport(&self) -> Transport {
        match self.public_url.as_deref() {
            Some(url) if url.starts_with("https://") => Transport::Secure,
            _ => Transport::Any,
        }
    }
}
