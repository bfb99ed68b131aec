//! What the process says of itself: that it lives, that it can serve, which build it is.
use ck8s_telemetry::Readiness;
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
pub(crate) fn readiness(missing: &[&'static str]) -> Response<Body> {
    let status = if missing.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer::json(status, &Readiness::of(missing))
}

/// `/version`.
pub(crate) fn version(version: &Version) -> Response<Body> {
    answer::json(StatusCode::OK, version)
}
