//! What the process says of itself: that it lives, that it can serve, which build it is.
use http::{Response, StatusCode};
use serde::Serialize;
use tonic::body::Body;

use crate::answer;

/// Which build this is.
#[derive(Clone, Debug, Serialize)]
pub struct Version {
    /// The package's version.
    pub version: String,
    /// The revision in git; empty: not known.
    pub revision: String,
    /// When it was built, UTC; empty: not known.
    pub build_time: String,
}

impl Default for Version {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: env!("CK8S_REVISION").to_owned(),
            build_time: env!("CK8S_BUILD_TIME").to_owned(),
        }
    }
}

#[derive(Serialize)]
struct State {
    status: &'static str,
}

/// `/healthz`.
pub(crate) fn health() -> Response<Body> {
    answer::json(StatusCode::OK, &State { status: "ok" })
}

/// `/readyz`.
pub(crate) fn readiness(ready: bool) -> Response<Body> {
    if ready {
        answer::json(StatusCode::OK, &State { status: "ready" })
    } else {
        answer::json(
            StatusCode::SERVICE_UNAVAILABLE,
            &State {
                status: "not ready",
            },
        )
    }
}

/// `/version`.
pub(crate) fn version(version: &Version) -> Response<Body> {
    answer::json(StatusCode::OK, version)
}
