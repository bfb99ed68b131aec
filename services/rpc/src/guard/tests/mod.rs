//! The guard in front of real connections: TCP, where only the bearer counts, and the mesh, where only the connection
//! does.
mod access;
mod failures;
mod identity;
mod on_the_mesh;
mod streams;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ck8s_types::{ProjectId, ProjectRole, RunId, TokenId, UserId};
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tokio::sync::mpsc::Sender;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{
    service::Routes,
    transport::{Channel, Endpoint, Server},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};
use tonic_types::StatusExt;

use super::*;
use crate::{
    caller::{Credential, Projects},
    mesh::Mesh,
    server::routes_with_standard,
};

const OPEN: &str = "/ck8s.auth.v1.AuthService/JoinWorker";
const ADMIN_ONLY: &str = "/ck8s.auth.v1.ProjectsService/CreateProject";

/// Whose tokens are which, as a table that a test can change.
#[derive(Default)]
struct Table {
    tokens: Mutex<HashMap<String, Caller>>,
    down: std::sync::atomic::AtomicBool,
    denials: Mutex<Vec<(UserId, String)>>,
}

impl Table {
    fn with(tokens: &[(&str, Caller)]) -> Arc<Self> {
        let tokens = tokens
            .iter()
            .map(|(t, c)| ((*t).to_owned(), c.clone()))
            .collect();
        Arc::new(Self {
            tokens: Mutex::new(tokens),
            ..Self::default()
        })
    }
}

#[async_trait::async_trait]
impl Identify for Table {
    async fn identify(&self, bearer: &str, _: Option<IpAddr>) -> Result<Caller, IdentifyError> {
        if self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(IdentifyError::Unavailable);
        }
        let tokens = self.tokens.lock();
        tokens.get(bearer).cloned().ok_or(IdentifyError::Unknown)
    }

    async fn denied(&self, user_id: UserId, method: &str) {
        let mut denials = self.denials.lock();
        denials.push((user_id, method.to_owned()));
    }
}

fn admin() -> Caller {
    Caller::Admin {
        name: "me".into(),
        person: None,
    }
}

/// A member of one project.
fn person(project: ProjectId, role: ProjectRole) -> Caller {
    Caller::Person {
        name: "octo".to_owned(),
        person: SignedIn {
            user_id: UserId::new(),
            with: Credential::Token(TokenId::new()),
        },
        projects: Arc::new(Projects {
            everywhere: None,
            by_project: [(project, role)].into(),
        }),
    }
}

fn mesh_guard(identity: Arc<Table>) -> GuardLayer {
    let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
    GuardLayer::new(Arc::new(policy), identity)
}

/// A guard behind a listener that strangers reach.
fn guard(identity: Arc<Table>) -> GuardLayer {
    mesh_guard(identity).public()
}

/// A request as the server library hands it to the layer.
fn request(path: &str, headers: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = format!("http://test{path}").parse().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().append(*name, value);
    }
    request
}

/// The status of a call to a handler that answers who it saw, as an error message.
async fn seen(guard: GuardLayer, request: Request<Body>) -> (Code, String) {
    let echo = tower::service_fn(|request: Request<Body>| async move {
        let caller = request.extensions().get::<Caller>().cloned();
        let actor = caller.map_or_else(|| "nobody".to_owned(), |c| c.actor());
        Ok::<_, std::convert::Infallible>(Status::new(Code::Ok, actor).into_http::<Body>())
    });
    let response = tower::ServiceExt::oneshot(guard.layer(echo), request)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let status = Status::from_header_map(response.headers()).unwrap();
    (status.code(), status.message().to_owned())
}

/// A guarded server with health and reflection on a port of its own.
async fn serve_tcp(identity: Arc<Table>) -> (SocketAddr, Channel) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = Server::builder()
        .layer(guard(identity))
        .add_routes(routes());
    tokio::spawn(server.serve_with_incoming(incoming));
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    (address, endpoint.connect_lazy())
}

fn routes() -> Routes {
    routes_with_standard(Routes::default(), &Default::default()).unwrap()
}

type Requests = ReceiverStream<ServerReflectionRequest>;

fn reflect(bearer: Option<&str>) -> (Sender<ServerReflectionRequest>, tonic::Request<Requests>) {
    let (ask, requests) = tokio::sync::mpsc::channel(1);
    let mut request = tonic::Request::new(ReceiverStream::new(requests));
    if let Some(bearer) = bearer {
        let value = format!("Bearer {bearer}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    (ask, request)
}

fn list_services() -> ServerReflectionRequest {
    ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    }
}

/// Routes that answer every path with who was seen, as the message of an OK status.
fn echo_routes() -> Routes {
    let echo = |request: axum::extract::Request| async move {
        let caller = request.extensions().get::<Caller>().cloned();
        let actor = caller.map_or_else(|| "nobody".to_owned(), |c| c.actor());
        Status::new(Code::Ok, actor).into_http::<axum::body::Body>()
    };
    axum::Router::new().fallback(echo).into()
}
