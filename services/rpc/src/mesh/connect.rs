//! A connection to a role of another process: TCP, then TLS with our certificate, and the other end's must name the
//! role.
use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use ck8s_pki::Certificates;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Endpoint, Uri};

use super::{
    Name,
    http2::{KEEP_ALIVE_INTERVAL, MAX_HEADER_BYTES, WINDOW_BYTES},
};

/// Bounds how long a connection may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Dials one role with the certificates that are current then.
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

    /// The HTTP/2 settings, without an address.
    #[must_use]
    pub fn endpoint() -> Endpoint {
        // TLS is the connector's: tonic would check host names.
        Endpoint::from_static("http://mesh.invalid")
            .connect_timeout(CONNECT_TIMEOUT)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_INTERVAL)
            .keep_alive_while_idle(true)
    }

    /// Connects to one address and returns the channel.
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

    /// A channel to one of the addresses of these names, another one at each attempt. It connects at the first call,
    /// and again after a break.
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
            // This name is neither sent nor checked: the verifier looks for the role.
            let name = ServerName::IpAddress(address.ip().into());
            TlsConnector::from(Arc::new(config))
                .connect(name, stream)
                .await
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}
