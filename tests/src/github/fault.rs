//! Faults that a test switches on: a status, a delay, a connection that is cut. It also writes down what was asked.
use std::{io, pin::pin, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::stream;
use http::{
    HeaderName, StatusCode,
    header::{AUTHORIZATION, RETRY_AFTER},
};

use super::{
    API, Shared,
    answer::api_error,
    api::Writing,
    lock,
    world::{Call, GitHubWorld},
};

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It answers with this status instead.
    Status(u16),
    /// The token's hourly requests are spent, though nobody asked so often; they are back so much later.
    Spent(Duration),
    /// Too much at once, with this status, and how many seconds to wait, or without.
    Secondary(u16, Option<u64>),
    /// It answers with this status, and with what it was sent in its message: the token and the body.
    Echo(u16),
    /// It answers so much later.
    Delay(Duration),
    /// It cuts the connection in the middle of its answer.
    Cut,
}

/// A fault and what it hits.
pub(crate) struct Switched {
    path: String,
    fault: Fault,
    left: usize,
}

/// When a request that is held stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// GitHub has not done it.
    Before,
    /// GitHub has done it, and nobody hears of it.
    After,
}

/// A request that is to be held.
pub(crate) struct Hold {
    /// So many come before it.
    before: usize,
    moment: Moment,
}

impl GitHubWorld {
    /// The API's request after so many others is not answered before [`Self::release_held`].
    pub fn hold(&mut self, before: usize, moment: Moment) {
        self.hold = Some(Hold { before, moment });
        self.held = None;
    }

    /// Lets the request that is held have its answer.
    pub fn release_held(&self) {
        self.released.notify_waiters();
    }

    /// None is held any more, and none was.
    pub fn hold_none(&mut self) {
        self.hold = None;
        self.held = None;
    }

    /// What was asked by the one that was held.
    #[must_use]
    pub fn held(&self) -> Option<String> {
        self.held.clone()
    }

    fn next_hold(&mut self, asked: &str) -> Option<Moment> {
        let hold = self.hold.as_mut()?;
        if hold.before > 0 {
            hold.before -= 1;
            return None;
        }
        let moment = self.hold.take()?.moment;
        if moment == Moment::Before {
            self.held = Some(asked.to_owned());
        }
        Some(moment)
    }

    /// The next `times` requests of paths that end so meet this fault.
    pub fn switch_on(&mut self, path: &str, fault: Fault, times: usize) {
        self.faults.push(Switched {
            path: path.to_owned(),
            fault,
            left: times,
        });
    }

    /// No fault is left.
    pub fn switch_off(&mut self) {
        self.faults.clear();
    }

    fn next_fault(&mut self, path: &str) -> Option<Fault> {
        let hits = |switched: &&mut Switched| switched.left > 0 && path.ends_with(&switched.path);
        let switched = self.faults.iter_mut().find(hits)?;
        switched.left -= 1;
        Some(switched.fault)
    }
}

/// Lets a request meet its fault, if there is one.
pub(super) async fn strike(State(world): State<Shared>, request: Request, next: Next) -> Response {
    let (method, path) = (
        request.method().to_string(),
        request.uri().path().to_owned(),
    );
    let asked = format!("{method} {path}");
    let held = if path.starts_with(API) {
        lock(&world).next_hold(&asked)
    } else {
        None
    };
    if held == Some(Moment::Before) {
        return std::future::pending().await;
    }
    let writing = Writing::begin(&world, &request);
    let fault = lock(&world).next_fault(&path);
    let response = match fault {
        None => next.run(request).await,
        Some(Fault::Delay(by)) => {
            tokio::time::sleep(by).await;
            next.run(request).await
        }
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            api_error(status, "Unicorn!")
        }
        Some(Fault::Echo(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let shown = request.headers().get(AUTHORIZATION);
            let shown = shown.map_or(String::new(), |v| format!("{v:?}"));
            let body = to_bytes(request.into_body(), usize::MAX).await;
            let body = body.unwrap_or_default();
            let told = format!("Unicorn! {shown} {}", String::from_utf8_lossy(&body));
            api_error(status, &told)
        }
        Some(Fault::Spent(back)) => {
            let reset = lock(&world).unix_now() + i64::try_from(back.as_secs()).unwrap_or(0);
            let mut refused = api_error(
                StatusCode::FORBIDDEN,
                "API rate limit exceeded for user ID 7.",
            );
            let told = [("limit", 5000), ("remaining", 0), ("reset", reset)];
            for (name, value) in told {
                let name = HeaderName::from_bytes(format!("x-ratelimit-{name}").as_bytes());
                refused
                    .headers_mut()
                    .insert(name.expect("a name"), value.into());
            }
            refused
        }
        Some(Fault::Secondary(status, wait)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
            let why = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
            let mut refused = api_error(status, why);
            if let Some(wait) = wait {
                refused.headers_mut().insert(RETRY_AFTER, wait.into());
            }
            refused
        }
        Some(Fault::Cut) => {
            let half = [
                Ok::<_, io::Error>("{\"".to_owned()),
                Err(io::ErrorKind::BrokenPipe.into()),
            ];
            Body::from_stream(stream::iter(half)).into_response()
        }
    };
    let status = response.status().as_u16();
    lock(&world).calls.push(Call {
        method,
        path,
        status,
    });
    if held == Some(Moment::After) {
        drop(writing);
        let released = lock(&world).released.clone();
        let mut released = pin!(released.notified());
        released.as_mut().enable();
        lock(&world).held = Some(asked);
        released.await;
    }
    response
}
