//! The connection to the server, shared by all calls of the worker. A token goes with each call; a certificate is part
//! of the connection.
use std::time::Duration;

use ck8s_proto::runs::v1::lease_service_client::LeaseServiceClient;
use ck8s_rpc::mesh::{Dial, Name, names};
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretString};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::{config::Credential, error::WorkerError};

/// Bounds a message: a grant holds a spec of at most 64 KiB, and a frame of secrets or logs at most a few MiB.
const MAX_MESSAGE_BYTES: usize = 32 << 20;
/// Bounds the setup of a connection; a server that needs longer is taken for unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often an idle connection is probed. A peer that vanished is noticed within twice this.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Bounds a unary call. Each is answered from the database's memory, so that a slower answer means a broken server.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether the lease stream is open and the server has welcomed the worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionState {
    /// No stream is open.
    Disconnected,
    /// The stream is open, and the server knows the worker.
    Connected,
}

/// Wraps a message into a request with a deadline.
pub(crate) fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

/// Adds the worker's token to each call, if it has one.
#[derive(Clone)]
pub(crate) struct AuthToken(Option<MetadataValue<Ascii>>);

impl AuthToken {
    fn new(token: &SecretString) -> Result<Self, WorkerError> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.expose_secret())
            .parse()
            .map_err(|_| WorkerError::Token)?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for AuthToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// The client of the lease service.
pub(crate) type Client = LeaseServiceClient<InterceptedService<Channel, AuthToken>>;

/// Where the server is.
enum Server {
    /// A public listener.
    Public(Box<Endpoint>),
    /// The mesh listeners of the role runs.
    Mesh(Dial, Vec<Name>),
}

impl Server {
    fn channel(&self) -> Channel {
        match self {
            Self::Public(endpoint) => endpoint.connect_lazy(),
            Self::Mesh(dial, names) => dial.any_of(names.clone()),
        }
    }

    fn client(&self, token: &AuthToken) -> Client {
        LeaseServiceClient::with_interceptor(self.channel(), token.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }
}

/// The connection to the server.
pub(crate) struct Connection {
    server: Server,
    token: AuthToken,
    client: RwLock<Client>,
}

impl Connection {
    /// Prepares a connection; the first call opens it.
    pub(crate) fn new(url: &str, credential: &Credential) -> Result<Self, WorkerError> {
        let (server, token) = match credential {
            Credential::Token(token) => (
                Server::Public(public_endpoint(url)?.into()),
                AuthToken::new(token)?,
            ),
            Credential::Certificate { certificates, .. } => {
                let dial = Dial::new("runs", certificates.clone());
                (Server::Mesh(dial, names(url)?), AuthToken(None))
            }
        };
        let client = RwLock::new(server.client(&token));
        Ok(Self {
            server,
            token,
            client,
        })
    }

    /// Returns the current client.
    pub(crate) fn client(&self) -> Client {
        self.client.read().clone()
    }

    /// Replaces the connection by a new one, perhaps to another replica.
    pub(crate) fn reconnect(&self) {
        *self.client.write() = self.server.client(&self.token);
    }
}

fn public_endpoint(url: &str) -> Result<Endpoint, WorkerError> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|e| WorkerError::Url {
        url: url.to_owned(),
        cause: e.to_string(),
    })?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(KEEPALIVE_INTERVAL))
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_INTERVAL)
        .keep_alive_while_idle(true))
}
