//! The channel to the server, shared by all calls of the worker: with the worker's token on each, or with its certificate.
use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use ck8s_proto::runs::v1::lease_service_client::LeaseServiceClient;
use ck8s_rpc::mesh::{Dial, Name, names};
use secrecy::{ExposeSecret, SecretString};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::{Credential, WorkerError};

/// A grant holds a spec of at most 64 KiB; this leaves room.
const LARGEST_MESSAGE: usize = 32 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that is gone without a word is noticed within twice this.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Adds the token, if there is one.
#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// How long a call may take: each is answered from the database's memory.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A call with a deadline.
pub(crate) fn call<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

pub(crate) type Client = LeaseServiceClient<InterceptedService<Channel, Bearer>>;

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
}

/// The way to the server.
pub(crate) struct Connection {
    server: Server,
    bearer: Bearer,
    client: RwLock<Client>,
}

impl Connection {
    /// Connects when it is first used.
    pub(crate) fn new(url: &str, credential: &Credential) -> Result<Self, WorkerError> {
        let (server, bearer) = match credential {
            Credential::Token(token) => (Server::Public(public(url)?.into()), bearer(token)?),
            Credential::Certificate { certificates, .. } => {
                let dial = Dial::new("runs", certificates.clone());
                (Server::Mesh(dial, names(url)?), Bearer(None))
            }
        };
        let client = RwLock::new(client(&server, &bearer));
        Ok(Self {
            server,
            bearer,
            client,
        })
    }

    pub(crate) fn client(&self) -> Client {
        self.client
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A new connection, perhaps to another replica.
    pub(crate) fn renew(&self) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) =
            client(&self.server, &self.bearer);
    }
}

fn public(url: &str) -> Result<Endpoint, WorkerError> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|e| WorkerError::Url {
        url: url.to_owned(),
        cause: e.to_string(),
    })?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(KEEPALIVE))
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true))
}

fn bearer(token: &SecretString) -> Result<Bearer, WorkerError> {
    let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.expose_secret())
        .parse()
        .map_err(|_| WorkerError::Token)?;
    value.set_sensitive(true);
    Ok(Bearer(Some(value)))
}

fn client(server: &Server, bearer: &Bearer) -> Client {
    LeaseServiceClient::with_interceptor(server.channel(), bearer.clone())
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE)
}
