//! The mesh: the services' gRPC contract over memory where a role is in this process, over mutual TLS where it is in another. Who
//! calls is a property of the connection; no header can claim it.
mod address;
mod call;
mod channel;
mod connect;
mod listen;
mod name;
mod peer;
mod stream;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, duplex},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_stream::{Stream, StreamExt, wrappers::UnboundedReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Endpoint, Server, Uri},
};

use self::stream::MeshStream;
use crate::guard::GuardLayer;

pub use self::{
    channel::{Channel, Remotes, Services},
    connect::Dial,
    listen::listen,
    name::{Name, NameError, names},
    peer::Peer,
    stream::MeshPeer,
};

/// The largest message between roles: a webhook of 25 MB and what stands around it.
pub const MAX_MESSAGE: usize = 32 * 1024 * 1024;
/// What one end of a connection over memory may have written before the other reads.
const BUFFER: usize = 1024 * 1024;
/// The HTTP/2 windows: the largest message may be under way without waiting for the reader.
const WINDOW: u32 = 32 * 1024 * 1024;
/// The largest HTTP/2 frame: fewer of them for large messages.
const FRAME: u32 = 256 * 1024;
/// Headers of a request in all.
const LARGEST_HEAD: u32 = 64 * 1024;
/// How often a silent connection is asked whether its other end lives, and for how long.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long open calls may take to end when the mesh stops.
const DRAIN: Duration = Duration::from_secs(10);

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

/// The mesh as a process sees it; a clone is the same mesh.
#[derive(Clone)]
pub struct Mesh {
    connections: UnboundedSender<MeshStream<DuplexStream>>,
    accept: Arc<Mutex<Option<UnboundedReceiver<MeshStream<DuplexStream>>>>>,
    remotes: Arc<Remotes>,
}

impl Default for Mesh {
    fn default() -> Self {
        Self::new()
    }
}

impl Mesh {
    /// A mesh of this process alone; not served yet: calls wait until it is.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Remotes::default())
    }

    /// Likewise, with roles in other processes.
    #[must_use]
    pub fn with(remotes: Remotes) -> Self {
        let (connections, accept) = unbounded_channel();
        Self {
            connections,
            accept: Arc::new(Mutex::new(Some(accept))),
            remotes: Arc::new(remotes),
        }
    }

    /// A channel on which every request is that role's. Connects at the first call.
    #[must_use]
    pub fn channel(&self, role: &'static str) -> Channel {
        let connections = self.connections.clone();
        let connect = move |_: Uri| {
            let (near, far) = duplex(BUFFER);
            let sent = connections
                .send(MeshStream::memory(far, role))
                .map_err(|_| io::Error::new(io::ErrorKind::ConnectionRefused, "the mesh is down"));
            std::future::ready(sent.map(|()| TokioIo::new(near)))
        };
        let memory = Endpoint::from_static("http://mesh.invalid")
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .http2_max_header_list_size(LARGEST_HEAD)
            .connect_with_connector_lazy(tower::service_fn(connect));
        Channel::new(memory, self.remotes.clone())
    }

    /// Every service of the mesh, for who is in front of it: `local` ones, and those of other processes. What goes to another
    /// process keeps its headers, so that the service there sees for itself who calls.
    #[must_use]
    pub fn services(&self, local: Routes) -> Services {
        Services::new(local, self.remotes.clone())
    }

    /// The roles of other processes that cannot be reached now.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.remotes.missing()
    }

    /// Serves the part of the mesh that is in memory until `shutdown`, then lets open calls end for ten seconds. Once per mesh.
    ///
    /// # Errors
    /// [`MeshError::Served`] the second time.
    pub async fn serve(
        &self,
        routes: Routes,
        guard: GuardLayer,
        shutdown: CancellationToken,
    ) -> Result<(), MeshError> {
        let accept = self
            .accept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or(MeshError::Served)?;
        let incoming = UnboundedReceiverStream::new(accept).map(Ok::<_, io::Error>);
        serve(incoming, Server::builder(), routes, guard, shutdown).await
    }
}

/// Serves connections until `shutdown`, then lets open calls end for a while.
async fn serve<T>(
    incoming: impl Stream<Item = io::Result<MeshStream<T>>>,
    server: Server,
    routes: Routes,
    guard: GuardLayer,
    shutdown: CancellationToken,
) -> Result<(), MeshError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let server = server
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME)
        .max_concurrent_streams(None)
        .layer(guard.for_mesh())
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = server => Ok(served?),
        () = drained => {
            tracing::warn!("calls on the mesh were still open at the end");
            Ok(())
        }
    }
}
