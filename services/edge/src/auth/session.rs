//! The session of a browser: the page gets the access token, and the refresh token stays in its cookie.
use std::time::{SystemTime, UNIX_EPOCH};

use ck8s_proto::auth::v1::{RedeemLinkRequest, RefreshSessionRequest, Session, SignOutRequest};
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue, SET_COOKIE},
};
use hyper::body::Incoming;
use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use tonic::{Code, body::Body, metadata::MetadataValue};

use super::{
    cookies::{CookieSpec, REFRESH},
    endpoints::AuthEndpoints,
    request,
};
use crate::response::{CodeResponse, json};

#[derive(Serialize)]
struct Tokens<'a> {
    access_token: &'a str,
    /// RFC 3339.
    expire_time: String,
}

#[derive(Deserialize)]
struct LinkBody {
    code: String,
}

impl AuthEndpoints {
    /// Answers with the next access token for the refresh token in the cookie.
    pub(super) async fn refresh(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, _) = match request::read(request, self.public_url.as_deref()).await {
            Ok(read) => read,
            Err(response) => return response.into_response(),
        };
        let Some(refresh_token) = REFRESH.read(&head.headers) else {
            let message = "nobody is signed in here: sign in";
            let response = CodeResponse::new(StatusCode::UNAUTHORIZED, "NO_SESSION", message);
            return self.without_session(response.into_response());
        };
        let next = RefreshSessionRequest {
            refresh_token: refresh_token.to_owned(),
        };
        match self.auth.clone().refresh_session(next).await {
            Ok(next) => self.tokens(&next.into_inner().session.unwrap_or_default()),
            Err(status) => {
                let response = CodeResponse::from(&status).into_response();
                if status.code() == Code::Unauthenticated {
                    self.without_session(response)
                } else {
                    response
                }
            }
        }
    }

    /// Ends the session of the cookie or, without one, that of the access token.
    pub(super) async fn sign_out(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, _) = match request::read(request, self.public_url.as_deref()).await {
            Ok(read) => read,
            Err(response) => return response.into_response(),
        };
        let refresh_token = REFRESH.read(&head.headers).unwrap_or_default().to_owned();
        let has_no_cookie = refresh_token.is_empty();
        let mut end = tonic::Request::new(SignOutRequest { refresh_token });
        if let Some(bearer) = bearer(&head.headers).filter(|_| has_no_cookie) {
            end.metadata_mut().insert("authorization", bearer);
        }
        match self.auth.clone().sign_out(end).await {
            // An access token that is not valid any more has no session to end.
            Err(status) if status.code() != Code::Unauthenticated => {
                CodeResponse::from(&status).into_response()
            }
            _ => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                let no_store = HeaderValue::from_static("no-store");
                response.headers_mut().insert(CACHE_CONTROL, no_store);
                for sign_in in CookieSpec::sign_ins(&head.headers) {
                    if let Some(cleared) = sign_in.clear(self.cookie_transport()) {
                        response.headers_mut().append(SET_COOKIE, cleared);
                    }
                }
                self.without_session(response)
            }
        }
    }

    /// Answers with a session for the code of a one-time link.
    pub(super) async fn redeem_link(&self, request: Request<Incoming>) -> Response<Body> {
        let (_, body) = match request::read(request, self.public_url.as_deref()).await {
            Ok(read) => read,
            Err(response) => return response.into_response(),
        };
        let Ok(LinkBody { code }) = serde_json::from_slice(&body) else {
            let message = "the body must be JSON with the link's code: {\"code\": \"…\"}";
            let response = CodeResponse::new(StatusCode::BAD_REQUEST, "BODY_INVALID", message);
            return response.into_response();
        };
        let redeem = RedeemLinkRequest { code };
        match self.auth.clone().redeem_link(redeem).await {
            Ok(redeemed) => self.tokens(&redeemed.into_inner().session.unwrap_or_default()),
            Err(status) => CodeResponse::from(&status).into_response(),
        }
    }

    /// Answers with the access token of a session, and keeps its refresh token in the cookie.
    fn tokens(&self, session: &Session) -> Response<Body> {
        let expires = session.access_expire_time.as_ref();
        let tokens = Tokens {
            access_token: &session.access_token,
            expire_time: expires.map(ToString::to_string).unwrap_or_default(),
        };
        let mut response = json(StatusCode::OK, &tokens);
        let seconds = seconds_until(session.refresh_expire_time.as_ref());
        if let Some(cookie) = REFRESH.set(&session.refresh_token, seconds, self.cookie_transport())
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// Makes the browser forget its session.
    fn without_session(&self, mut response: Response<Body>) -> Response<Body> {
        if let Some(cookie) = REFRESH.clear(self.cookie_transport()) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

fn bearer(headers: &HeaderMap) -> Option<MetadataValue<tonic::metadata::Ascii>> {
    let value = headers.get(AUTHORIZATION)?;
    MetadataValue::try_from(value.as_bytes()).ok()
}

/// Returns the seconds from now to a moment; 0 if it has passed.
pub(super) fn seconds_until(at: Option<&Timestamp>) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    at.map_or(0, |at| at.seconds.saturating_sub(now).max(0))
}
