//! The mesh listener: TLS with certificates on both ends, and nothing else.
use std::{io, time::Duration};

use ck8s_pki::{Certificates, Peer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::Server};
use tower::Layer;

use super::{GrpcService, MeshError, http2::KEEP_ALIVE_INTERVAL, serve::serve, stream::MeshStream};

/// Bounds how long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bounds the connections that wait for the server after their handshake.
const MAX_WAITING_CONNECTIONS: usize = 64;
/// Bounds the handshakes at once: who calls is not known yet.
const MAX_HANDSHAKES: usize = 512;
/// The pause after an accept that failed, for want of file descriptors: other connections may end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves a listener, behind `layer`, until `shutdown`; then lets open calls end for ten seconds.
///
/// # Errors
/// The server failed.
pub async fn listen<L>(
    listener: TcpListener,
    certificates: Certificates,
    routes: Routes,
    layer: L,
    shutdown: CancellationToken,
) -> Result<(), MeshError>
where
    L: Layer<Routes, Service: GrpcService> + Clone + Send + 'static,
{
    let (accepted, incoming) = mpsc::channel(MAX_WAITING_CONNECTIONS);
    let accepting = accept(listener, certificates, accepted);
    let stop = shutdown.clone();
    tokio::spawn(async move { stop.run_until_cancelled(accepting).await });
    let incoming = ReceiverStream::new(incoming).map(Ok::<_, io::Error>);
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL * 4))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_INTERVAL * 4));
    serve(incoming, server, routes, layer, shutdown).await
}

type Accepted = mpsc::Sender<MeshStream<TlsStream<TcpStream>>>;

async fn accept(listener: TcpListener, certificates: Certificates, accepted: Accepted) {
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(MAX_HANDSHAKES));
    loop {
        // It is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let (acceptor, accepted) =
                    (TlsAcceptor::from(certificates.server()), accepted.clone());
                tokio::spawn(async move {
                    match shake_hands(acceptor, stream).await {
                        Ok(stream) => drop(accepted.send(stream).await),
                        Err(error) => {
                            tracing::info!(%from, %error, "a connection to the mesh was refused");
                            metrics::counter!("ck8s_mesh_refused_total").increment(1);
                        }
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the mesh could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
) -> io::Result<MeshStream<TlsStream<TcpStream>>> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let peer = Peer::of(stream.get_ref().1).map_err(io::Error::other)?;
    Ok(MeshStream::tls(stream, peer))
}
