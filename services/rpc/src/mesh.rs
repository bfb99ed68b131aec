//! The mesh inside one process: the services' gRPC contract over memory. Who calls is a property of the connection, which only
//! this process can make; no header can claim it.
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_stream::{StreamExt, wrappers::UnboundedReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Channel, Endpoint, Server, Uri, server::Connected},
};

use crate::{Caller, guard::GuardLayer};

/// The largest message between roles: a webhook of 25 MB and what stands around it.
pub const MAX_MESSAGE: usize = 32 * 1024 * 1024;
/// What one end of a connection may have written before the other reads.
const BUFFER: usize = 1024 * 1024;
/// The HTTP/2 windows: the largest message may be under way without waiting for the reader.
const WINDOW: u32 = 32 * 1024 * 1024;
/// The largest HTTP/2 frame: fewer of them for large messages.
const FRAME: u32 = 256 * 1024;
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

/// Who is at the other end of a connection of the mesh. Only [`Mesh::channel`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct MeshPeer {
    pub(crate) role: &'static str,
}

impl MeshPeer {
    pub(crate) fn caller(self) -> Caller {
        Caller::Service {
            role: self.role.to_owned(),
        }
    }
}

/// The in-process mesh; a clone is the same mesh.
#[derive(Clone)]
pub struct Mesh {
    connections: UnboundedSender<MeshStream>,
    accept: Arc<Mutex<Option<UnboundedReceiver<MeshStream>>>>,
}

impl Default for Mesh {
    fn default() -> Self {
        Self::new()
    }
}

impl Mesh {
    /// A mesh that is not served yet; calls wait until it is.
    #[must_use]
    pub fn new() -> Self {
        let (connections, accept) = unbounded_channel();
        Self {
            connections,
            accept: Arc::new(Mutex::new(Some(accept))),
        }
    }

    /// A channel on which every request is that role's. Connects at the first call.
    #[must_use]
    pub fn channel(&self, role: &'static str) -> Channel {
        let connections = self.connections.clone();
        let connect = move |_: Uri| {
            let (near, far) = duplex(BUFFER);
            let stream = MeshStream { io: far, role };
            let sent = connections
                .send(stream)
                .map_err(|_| io::Error::new(io::ErrorKind::ConnectionRefused, "the mesh is down"));
            std::future::ready(sent.map(|()| TokioIo::new(near)))
        };
        Endpoint::from_static("http://mesh.invalid")
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .http2_max_header_list_size(64 * 1024)
            .connect_with_connector_lazy(tower::service_fn(connect))
    }

    /// Serves the mesh until `shutdown`, then lets open calls end for ten seconds. Once per mesh.
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
        let server = Server::builder()
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
}

/// The server's end of a connection.
struct MeshStream {
    io: DuplexStream,
    role: &'static str,
}

impl Connected for MeshStream {
    type ConnectInfo = MeshPeer;

    fn connect_info(&self) -> MeshPeer {
        MeshPeer { role: self.role }
    }
}

impl AsyncRead for MeshStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for MeshStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
