//! The mesh: the services' gRPC contract over memory where a role is in this process, over mutual TLS where it is in
//! another. Who calls is a property of the connection; no header can claim it.
mod address;
mod call;
mod channel;
mod connect;
mod http2;
mod identity;
mod listen;
mod name;
mod peer;
mod remotes;
mod serve;
mod services;
mod stream;

use std::{io, sync::Arc};

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_stream::{StreamExt, wrappers::UnboundedReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Endpoint, Server, Uri},
};
use tower::Layer;

use self::{
    http2::{MAX_HEADER_BYTES, WINDOW_BYTES},
    serve::serve,
    stream::MeshStream,
};

pub use self::{
    channel::Channel,
    connect::Dial,
    http2::{MAX_MESSAGE_BYTES, header_bytes},
    identity::MeshPeer,
    listen::listen,
    name::{Name, NameError, names},
    peer::Peer,
    remotes::{Remotes, Requirement},
    serve::{GrpcService, MeshError},
    services::{Forward, Services},
};

/// Bounds what one end of a connection over memory may write before the other end reads.
const MEMORY_BUFFER_BYTES: usize = 1024 * 1024;

type MemoryStream = MeshStream<DuplexStream>;

/// The mesh as a process sees it; a clone is the same mesh.
#[derive(Clone)]
pub struct Mesh {
    connections: UnboundedSender<MemoryStream>,
    /// None: the mesh is served.
    accept: Arc<Mutex<Option<UnboundedReceiver<MemoryStream>>>>,
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

    /// A mesh with roles in other processes.
    #[must_use]
    pub fn with(remotes: Remotes) -> Self {
        let (connections, accept) = unbounded_channel();
        Self {
            connections,
            accept: Arc::new(Mutex::new(Some(accept))),
            remotes: Arc::new(remotes),
        }
    }

    /// A channel on which every request is that role's. It connects at the first call, and gives calls without a
    /// deadline the default one.
    #[must_use]
    pub fn channel(&self, role: &'static str) -> Channel {
        let connections = self.connections.clone();
        let connect = move |_: Uri| {
            let (near, far) = duplex(MEMORY_BUFFER_BYTES);
            let sent = connections
                .send(MeshStream::memory(far, role))
                .map_err(|_| io::Error::new(io::ErrorKind::ConnectionRefused, "the mesh is down"));
            std::future::ready(sent.map(|()| TokioIo::new(near)))
        };
        let memory = Endpoint::from_static("http://mesh.invalid")
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .connect_with_connector_lazy(tower::service_fn(connect));
        Channel::new(memory, self.remotes.clone())
    }

    /// Every service of the mesh as one service, for the listener that strangers reach: the services of this process
    /// behind `local`, those of other processes behind `remote`. A call to another process keeps its headers, so that
    /// the service there sees for itself who calls.
    #[must_use]
    pub fn services<L, R>(&self, routes: Routes, local: &L, remote: &R) -> Services
    where
        L: Layer<Routes, Service: GrpcService>,
        R: Layer<Forward, Service: GrpcService>,
    {
        let local = local.layer(routes.prepare());
        let remote = remote.layer(Forward::new(self.remotes.clone()));
        Services::new(local, remote, self.remotes.clone())
    }

    /// The roles of other processes that this process needs and cannot reach now.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.remotes.missing()
    }

    /// Serves the part of the mesh that is in memory, behind `layer`, until `shutdown`; then lets open calls end for
    /// ten seconds. Once per mesh.
    ///
    /// # Errors
    /// [`MeshError::Served`] the second time.
    pub async fn serve<L>(
        &self,
        routes: Routes,
        layer: L,
        shutdown: CancellationToken,
    ) -> Result<(), MeshError>
    where
        L: Layer<Routes, Service: GrpcService> + Clone + Send + 'static,
    {
        let accept = self.accept.lock().take().ok_or(MeshError::Served)?;
        let incoming = UnboundedReceiverStream::new(accept).map(Ok::<_, io::Error>);
        serve(incoming, Server::builder(), routes, layer, shutdown).await
    }
}

#[cfg(test)]
mod tests;
