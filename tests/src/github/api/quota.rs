//! The hourly quota of a token, told with each response. A 304 costs nothing.
use std::time::Duration;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::gate::shown;
use crate::github::{
    Shared, lock, quota::Quota, response::api_error, token::May, world::GitHubWorld,
};

/// The requests that GitHub grants people in an hour.
const REQUESTS_PER_HOUR: i64 = 5000;
const HOUR_SECONDS: i64 = 3600;

impl GitHubWorld {
    /// Leaves a token so many requests, until its quota is full again after `back`.
    pub fn leave(&mut self, token: &str, remaining: i64, back: Duration) {
        let resets_at = self.unix_now() + i64::try_from(back.as_secs()).unwrap_or(HOUR_SECONDS);
        let quota = Quota {
            remaining,
            resets_at,
        };
        self.quotas.by_token.insert(token.to_owned(), quota);
    }

    /// Returns how many requests a token has left.
    #[must_use]
    pub fn left(&self, token: &str) -> i64 {
        self.quotas
            .by_token
            .get(token)
            .map_or(REQUESTS_PER_HOUR, |q| q.remaining)
    }

    fn quota(&mut self, token: &str) -> &mut Quota {
        let now = self.unix_now();
        let fresh = Quota {
            remaining: REQUESTS_PER_HOUR,
            resets_at: now + HOUR_SECONDS,
        };
        let quota = self
            .quotas
            .by_token
            .entry(token.to_owned())
            .or_insert(fresh);
        if quota.resets_at <= now {
            *quota = fresh;
        }
        quota
    }
}

/// A write in progress, until this is dropped.
pub(in crate::github) struct Writing {
    world: Shared,
    token: String,
}

impl Writing {
    /// Begins a write; none if the request is a read.
    pub(in crate::github) fn begin(shared: &Shared, request: &Request) -> Option<Self> {
        if request.method() == Method::GET {
            return None;
        }
        let token = shown(request.headers()).to_owned();
        let mut world = lock(shared);
        let writing = world.quotas.writes.entry(token.clone()).or_default();
        *writing += 1;
        let writing = *writing;
        world.writes_at_once = world.writes_at_once.max(writing);
        drop(world);
        let world = shared.clone();
        Some(Self { world, token })
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(writing) = lock(&self.world).quotas.writes.get_mut(&self.token) {
            *writing -= 1;
        }
    }
}

/// Counts a request, and refuses it if the quota is spent.
pub(super) async fn count(State(world): State<Shared>, request: Request, next: Next) -> Response {
    let token = shown(request.headers()).to_owned();
    let spent = lock(&world).quota(&token).remaining <= 0;
    let mut response = if spent {
        let why = "API rate limit exceeded for user ID 7. If you reach out to GitHub Support for help, please include the request ID.";
        api_error(StatusCode::FORBIDDEN, why)
    } else {
        next.run(request).await
    };
    let mut world = lock(&world);
    let quota = world.quota(&token);
    if !spent && response.status() != StatusCode::NOT_MODIFIED {
        quota.remaining -= 1;
    }
    let Quota {
        remaining,
        resets_at,
    } = *quota;
    tell(
        &mut response,
        "x-ratelimit-limit",
        &REQUESTS_PER_HOUR.to_string(),
    );
    tell(
        &mut response,
        "x-ratelimit-remaining",
        &remaining.to_string(),
    );
    tell(&mut response, "x-ratelimit-reset", &resets_at.to_string());
    tell(&mut response, "x-ratelimit-resource", "core");
    if let Some(May::Classic(scopes)) = world.token(&token).map(|token| token.may) {
        let scopes: Vec<_> = scopes.into_iter().collect();
        tell(&mut response, "x-oauth-scopes", &scopes.join(", "));
    }
    response
}

fn tell(response: &mut Response, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).expect("a header's value");
    response
        .headers_mut()
        .insert(HeaderName::from_static(name), value);
}
