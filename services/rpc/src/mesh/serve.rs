//! Serving connections of the mesh, behind a layer of the caller's choice.
use std::{convert::Infallible, io, time::Duration};

use http::{Request, Response};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, service::Routes, transport::Server};
use tower::{Layer, Service};

use super::{
    http2::{MAX_FRAME_BYTES, MAX_HEADER_BYTES, WINDOW_BYTES},
    stream::MeshStream,
};

/// How long open calls may take to end when the mesh stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the mesh is not served.
#[derive(Debug, Error)]
pub enum MeshError {
    /// It is served already, or was.
    #[error("the mesh is served already")]
    Served,
    /// The server failed.
    #[error("the mesh failed: {0}")]
    Failed(#[from] tonic::transport::Error),
}

/// A gRPC service that can be served: what a layer makes of routes. It is implemented for every service of this shape.
pub trait GrpcService:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> GrpcService for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves connections until `shutdown`, then lets open calls end for a while.
pub(super) async fn serve<T, L>(
    incoming: impl Stream<Item = io::Result<MeshStream<T>>>,
    server: Server,
    routes: Routes,
    layer: L,
    shutdown: CancellationToken,
) -> Result<(), MeshError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    L: Layer<Routes, Service: GrpcService> + Clone + Send + 'static,
{
    let server = server
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .max_concurrent_streams(None)
        .layer(layer)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        served = server => Ok(served?),
        () = drained => {
            tracing::warn!("calls on the mesh were still open at the end");
            Ok(())
        }
    }
}
