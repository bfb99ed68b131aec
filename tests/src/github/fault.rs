//! Faults that a test switches on: a status, a delay, a connection that is cut. It also writes down what was asked.
use std::{io, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::stream;
use http::StatusCode;

use super::{
    Shared,
    answer::api_error,
    lock,
    world::{Call, GitHubWorld},
};

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It answers with this status instead.
    Status(u16),
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

impl GitHubWorld {
    /// The next `times` requests of paths that end so meet this fault.
    pub fn switch_on(&mut self, path: &str, fault: Fault, times: usize) {
        self.faults.push(Switched {
            path: path.to_owned(),
            fault,
            left: times,
        });
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
    response
}
