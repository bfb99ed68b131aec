//! The session of a browser: the access token goes to the page, the refresh token stays in its cookie.
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

use super::{SignIn, asked, cookie::REFRESH, refusal, refused};
use crate::answer;

#[derive(Serialize)]
struct Tokens<'a> {
    access_token: &'a str,
    /// RFC 3339.
    expire_time: String,
}

#[derive(Deserialize)]
struct Link {
    code: String,
}

impl SignIn {
    /// The next access token, for the refresh token in the cookie.
    pub(super) async fn refresh(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, _) = match asked::read(request, self.public_url.as_deref()).await {
            Ok(read) => read,
            Err(odd) => return refusal(odd.status, odd.code, odd.message),
        };
        let Some(refresh_token) = REFRESH.of(&head.headers) else {
            let message = "nobody is signed in here: sign in";
            return self.over(refusal(StatusCode::UNAUTHORIZED, "NO_SESSION", message));
        };
        let next = asked::with_deadline(RefreshSessionRequest {
            refresh_token: refresh_token.to_owned(),
        });
        match self.auth.clone().refresh_session(next).await {
            Ok(next) => self.tokens(&next.into_inner().session.unwrap_or_default()),
            Err(status) if status.code() == Code::Unauthenticated => self.over(refused(&status)),
            Err(status) => refused(&status),
        }
    }

    /// Ends the session of the cookie, else that of the access token.
    pub(super) async fn sign_out(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, _) = match asked::read(request, self.public_url.as_deref()).await {
            Ok(read) => read,
            Err(odd) => return refusal(odd.status, odd.code, odd.message),
        };
        let refresh_token = REFRESH.of(&head.headers).unwrap_or_default().to_owned();
        let alone = refresh_token.is_empty();
        let mut end = asked::with_deadline(SignOutRequest { refresh_token });
        if let Some(bearer) = bearer(&head.headers).filter(|_| alone) {
            end.metadata_mut().insert("authorization", bearer);
        }
        match self.auth.clone().sign_out(end).await {
            // An access token that is good no more has no session to end.
            Err(status) if status.code() != Code::Unauthenticated => refused(&status),
            _ => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                let no_store = HeaderValue::from_static("no-store");
                response.headers_mut().insert(CACHE_CONTROL, no_store);
                self.over(response)
            }
        }
    }

    /// A session for a one-time link's code.
    pub(super) async fn link(&self, request: Request<Incoming>) -> Response<Body> {
        let (_, body) = match asked::read(request, self.public_url.as_deref()).await {
            Ok(read) => read,
            Err(odd) => return refusal(odd.status, odd.code, odd.message),
        };
        let Ok(Link { code }) = serde_json::from_slice(&body) else {
            let message = "the body must be JSON with the link's code: {\"code\": \"…\"}";
            return refusal(StatusCode::BAD_REQUEST, "BODY_INVALID", message);
        };
        let redeem = asked::with_deadline(RedeemLinkRequest { code });
        match self.auth.clone().redeem_link(redeem).await {
            Ok(redeemed) => self.tokens(&redeemed.into_inner().session.unwrap_or_default()),
            Err(status) => refused(&status),
        }
    }

    fn tokens(&self, session: &Session) -> Response<Body> {
        let expires = session.access_expire_time.as_ref();
        let tokens = Tokens {
            access_token: &session.access_token,
            expire_time: expires.map(ToString::to_string).unwrap_or_default(),
        };
        let mut response = answer::json(StatusCode::OK, &tokens);
        let seconds = seconds_until(session.refresh_expire_time.as_ref());
        if let Some(cookie) = REFRESH.set(&session.refresh_token, seconds, self.secure()) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// The browser forgets its session.
    fn over(&self, mut response: Response<Body>) -> Response<Body> {
        if let Some(cookie) = REFRESH.clear(self.secure()) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

fn bearer(headers: &HeaderMap) -> Option<MetadataValue<tonic::metadata::Ascii>> {
    let value = headers.get(AUTHORIZATION)?;
    MetadataValue::try_from(value.as_bytes()).ok()
}

/// Seconds from now to a moment; 0 if it is over.
pub(super) fn seconds_until(at: Option<&Timestamp>) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    at.map_or(0, |at| at.seconds.saturating_sub(now).max(0))
}
