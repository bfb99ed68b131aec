//! Faults that a test switches on: a status, a delay, a cut connection, a held request. This layer also records every
//! request.
use std::{io, pin::pin};

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
    api::Writing,
    fault_types::{Fault, Hold, Moment, Switched},
    lock,
    requests::Call,
    response::api_error,
    world::GitHubWorld,
};

impl GitHubWorld {
    /// Holds the API's next request after so many others, until [`Self::release_held`].
    pub fn hold(&mut self, before: usize, moment: Moment) {
        self.hold = Some(Hold { before, moment });
        self.held = None;
    }

    /// Lets the held request go on.
    pub fn release_held(&self) {
        self.released.notify_waiters();
    }

    /// Stops holding requests, and forgets the one that was held.
    pub fn hold_none(&mut self) {
        self.hold = None;
        self.held = None;
    }

    /// Returns the method and the path of the request that was held.
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

    /// Lets this fault hit the next `times` requests whose path ends so.
    pub fn switch_on(&mut self, path: &str, fault: Fault, times: usize) {
        self.faults.push(Switched {
            path: path.to_owned(),
            fault,
            left: times,
        });
    }

    /// Removes all faults.
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

/// Applies the fault that hits a request, if there is one.
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
