//! The probes of the process: `/healthz`, `/readyz` and `/version`.
use ck8s_telemetry::Readiness;
use http::{Response, StatusCode};
use serde::Serialize;
use tonic::body::Body;

use crate::{response::json, version::Version};

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// Answers `/healthz`: the process lives.
pub(crate) fn health() -> Response<Body> {
    json(StatusCode::OK, &Health { status: "ok" })
}

/// Answers `/readyz`: the process can serve, or what it lacks.
pub(crate) fn readiness(missing: &[&'static str]) -> Response<Body> {
    let status = if missing.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, &Readiness::of(missing))
}

/// Answers `/version`.
pub(crate) fn version(version: &Version) -> Response<Body> {
    json(StatusCode::OK, version)
}
