//! The response of `/readyz`: whether the process can serve, and what it lacks if it cannot.
use serde::Serialize;

/// The response, as JSON.
#[derive(Debug, Serialize)]
pub struct Readiness<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [&'static str],
}

impl<'a> Readiness<'a> {
    /// Ready if nothing is missing: `database`, or the name of a role.
    #[must_use]
    pub fn of(missing: &'a [&'static str]) -> Self {
        let status = if missing.is_empty() {
            "ready"
        } else {
            "not ready"
        };
        Self { status, missing }
    }
}
