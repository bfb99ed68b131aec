//! The private listener: `/metrics` for Prometheus, `/healthz` and `/readyz`. It authenticates nobody and must not be
//! public.
use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Readiness, connections};

/// The buckets of latency histograms (`*_seconds`): from a call in memory to the longest deadline.
const LATENCY_BUCKETS_SECONDS: &[f64] = &[
    0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];
/// How often the recorder folds what it collected, so that it does not grow while nobody reads the metrics.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(15);

/// Why there is no private listener.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {0} (CK8S_ADMIN_LISTEN): {1}")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// Metrics are set up already, or a setting is wrong.
    #[error("metrics: {0}")]
    Metrics(String),
}

/// A private listener that is bound. Until there is one, metrics cost nothing and go nowhere.
pub struct Admin {
    listener: TcpListener,
    handle: PrometheusHandle,
}

impl Admin {
    /// Binds the listener and begins to record metrics.
    ///
    /// # Errors
    /// The address cannot be bound, or metrics are recorded already.
    pub async fn bind(address: SocketAddr) -> Result<Self, AdminError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| AdminError::Bind(address, error))?;
        let failed =
            |error: metrics_exporter_prometheus::BuildError| AdminError::Metrics(error.to_string());
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(
                Matcher::Suffix("_seconds".to_owned()),
                LATENCY_BUCKETS_SECONDS,
            )
            .map_err(failed)?
            .install_recorder()
            .map_err(failed)?;
        Ok(Self { listener, handle })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the system call.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`. `missing` returns what the process needs and does not have.
    pub async fn serve<F, R>(self, missing: F, shutdown: CancellationToken)
    where
        F: Fn() -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Vec<&'static str>> + Send,
    {
        let Self { listener, handle } = self;
        let rendered = handle.clone();
        let router = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(async move || readiness(&missing().await)))
            .route(
                "/metrics",
                get(move || async move {
                    (
                        [(CONTENT_TYPE, "text/plain; version=0.0.4")],
                        rendered.render(),
                    )
                }),
            );
        let upkeep = async {
            loop {
                tokio::time::sleep(UPKEEP_INTERVAL).await;
                handle.run_upkeep();
            }
        };
        tokio::select! {
            () = connections::serve(listener, router, shutdown) => {}
            () = upkeep => {}
        }
    }
}

fn readiness(missing: &[&'static str]) -> Response {
    let status = if missing.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Readiness::of(missing))).into_response()
}
