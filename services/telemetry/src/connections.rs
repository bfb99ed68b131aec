//! The connections of the private listener: HTTP/1.1, a few at once, with small heads.
use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

/// Bounds the connections at once: a kubelet, a few Prometheus servers, and people.
const MAX_CONNECTIONS: usize = 64;
/// Bounds how long the head of a request may take, and how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bounds the head of a request: larger ones are answered with 431.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The pause after an accept that failed, for want of file descriptors: other connections may end meanwhile.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Serves the router until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let accepting = accept(&listener, router, &shutdown);
    let _ = shutdown.run_until_cancelled(accepting).await;
}

async fn accept(listener: &TcpListener, router: Router, shutdown: &CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // It is never closed.
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (router, shutdown) = (router.clone(), shutdown.clone());
                tokio::spawn(async move {
                    shutdown.run_until_cancelled(answer(stream, router)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the private listener could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, router: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the private listener failed");
    }
}
