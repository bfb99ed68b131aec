//! A connection to a role of another process: TCP, then TLS with our certificate, and the other end's must name the role.
use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use ck8s_pki::Certificates;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Endpoint, Uri};

use super::{KEEP_ALIVE, LARGEST_HEAD, Name, WINDOW};

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Dials one role with the certificates of now.
#[derive(Clone)]
pub struct Dial {
    role: &'static str,
    certificates: Certificates,
}

impl Dial {
    /// Dials `role`.
    #[must_use]
    pub fn new(role: &'static str, certificates: Certificates) -> Self {
        Self { role, certificates }
    }

    /// What HTTP/2 needs to know, without the address.
    #[must_use]
    pub fn endpoint() -> Endpoint {
        // TLS is the connector's: tonic would check host names.
        Endpoint::from_static("http://mesh.invalid")
            .connect_timeout(PATIENCE)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .http2_max_header_list_size(LARGEST_HEAD)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true)
    }

    /// A channel to one address, once the connection stands.
    pub(super) async fn channel(
        &self,
        address: SocketAddr,
    ) -> Result<tonic::transport::Channel, tonic::transport::Error> {
        let dial = self.clone();
        let connect = move |_: Uri| {
            let dial = dial.clone();
            async move { dial.connect(address).await.map(TokioIo::new) }
        };
        Self::endpoint()
            .connect_with_connector(tower::service_fn(connect))
            .await
    }

    /// A channel to one of the names' addresses, another one at each attempt. Connects at the first call, and again after a break.
    #[must_use]
    pub fn any_of(&self, names: Vec<Name>) -> tonic::transport::Channel {
        let (dial, names) = (self.clone(), Arc::new(names));
        let connect = move |_: Uri| {
            let (dial, names) = (dial.clone(), names.clone());
            async move { dial.connect_any(&names).await.map(TokioIo::new) }
        };
        Self::endpoint().connect_with_connector_lazy(tower::service_fn(connect))
    }

    async fn connect_any(&self, names: &[Name]) -> io::Result<TlsStream<TcpStream>> {
        let mut addresses = Vec::new();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the names have no address");
        for name in names {
            match name.resolve().await {
                Ok(found) => addresses.extend(found),
                Err(error) => last = error,
            }
        }
        while !addresses.is_empty() {
            let at = rand::random_range(0..addresses.len());
            match self.connect(addresses.swap_remove(at)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let config = self.certificates.client(self.role);
        let config = config.map_err(io::Error::other)?;
        let connecting = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            // It is not sent and not checked: the verifier looks for the role.
            let name = ServerName::IpAddress(address.ip().into());
            TlsConnector::from(Arc::new(config))
                .connect(name, stream)
                .await
        };
        tokio::time::timeout(PATIENCE, connecting)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}
