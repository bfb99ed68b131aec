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

use super::{KEEP_ALIVE, LARGEST_HEAD, MeshError, serve, stream::MeshStream};
use crate::guard::GuardLayer;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections that may wait for the server.
const WAITING: usize = 64;
/// Handshakes at once: who may call is not known yet, so that strangers are bounded.
const HANDSHAKES: usize = 512;
/// After an accept that failed (no more file descriptors): others may end meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves a listener until `shutdown`, then lets open calls end for ten seconds.
///
/// # Errors
/// The server failed.
pub async fn listen(
    listener: TcpListener,
    certificates: Certificates,
    routes: Routes,
    guard: GuardLayer,
    shutdown: CancellationToken,
) -> Result<(), MeshError> {
    let (shaken, incoming) = mpsc::channel(WAITING);
    let accepting = accept(listener, certificates, shaken);
    let stop = shutdown.clone();
    tokio::spawn(async move { stop.run_until_cancelled(accepting).await });
    let incoming = ReceiverStream::new(incoming).map(Ok::<_, io::Error>);
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE * 4))
        .http2_keepalive_timeout(Some(KEEP_ALIVE * 4))
        .http2_max_header_list_size(LARGEST_HEAD);
    serve(incoming, server, routes, guard, shutdown).await
}

type Shaken = mpsc::Sender<MeshStream<TlsStream<TcpStream>>>;

async fn accept(listener: TcpListener, certificates: Certificates, shaken: Shaken) {
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(HANDSHAKES));
    loop {
        // It is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let (acceptor, shaken) = (TlsAcceptor::from(certificates.server()), shaken.clone());
                tokio::spawn(async move {
                    match shake(acceptor, stream).await {
                        Ok(stream) => drop(shaken.send(stream).await),
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
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn shake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
) -> io::Result<MeshStream<TlsStream<TcpStream>>> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let peer = Peer::of(stream.get_ref().1).map_err(io::Error::other)?;
    Ok(MeshStream::tls(stream, peer))
}
