//! An edge over real connections, without a service behind it.
use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use ck8s_edge::{EdgeConfig, EdgeDeps};
use ck8s_rpc::{guard::GuardLayer, identify::MeshIdentify, mesh::Mesh, policy::Policy};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// The path of webhooks.
pub(crate) const WEBHOOKS: &str = "/api/v1/webhooks/github";

/// A running edge.
pub(crate) struct TestEdge {
    pub address: SocketAddr,
    pub shutdown: CancellationToken,
    pub served: JoinHandle<()>,
}

/// Starts an edge whose mesh nobody serves: a call over it fails at once.
pub(crate) async fn edge_with(config: EdgeConfig, ready: bool) -> TestEdge {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).expect("a policy");
    let policy = Arc::new(policy);
    let (channel, services) = {
        let mesh = Mesh::new();
        let channel = mesh.channel("edge");
        let identity = Arc::new(MeshIdentify::new(channel.clone()));
        let guard = GuardLayer::new(policy.clone(), identity);
        let services = mesh.services(Routes::default(), &guard.public(), &guard.relay());
        (channel, services)
    };
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let served = tokio::spawn(async move {
        let readiness = move || async move {
            if ready {
                vec![]
            } else {
                vec!["database", "runs"]
            }
        };
        let deps = EdgeDeps {
            listener,
            services,
            policy,
            channel,
            readiness,
        };
        let served = ck8s_edge::Edge::serve(deps, config, stop).await;
        served.expect("served");
    });
    TestEdge {
        address,
        shutdown,
        served,
    }
}

/// Starts an edge that is ready.
pub(crate) async fn edge() -> TestEdge {
    edge_with(EdgeConfig::default(), true).await
}

impl TestEdge {
    pub(crate) async fn send(
        &self,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = request.body(Full::new(body.into())).expect("a request");
        let (head, body) = client
            .request(request)
            .await
            .expect("an answer")
            .into_parts();
        Response::from_parts(head, body.collect().await.expect("a body").to_bytes())
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
    }

    pub(crate) fn webhook(&self) -> http::request::Builder {
        self.request(Method::POST, WEBHOOKS)
            .header("content-type", "application/json")
            .header("x-github-event", "ping")
            .header("x-github-delivery", "d-1")
    }

    /// Sends raw bytes and reads the answer to the end of the connection.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        stream.write_all(bytes).await.expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("read");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Checks the JSON of an error.
#[track_caller]
pub(crate) fn check_refused(
    response: &Response<Bytes>,
    status: u16,
    code: &str,
    delivery_id: &str,
) {
    let json: Value = serde_json::from_slice(response.body()).expect("JSON");
    assert_eq!(
        (response.status().as_u16(), json["code"].as_str()),
        (status, Some(code)),
        "{json}"
    );
    assert_eq!(json["delivery_id"], delivery_id);
    assert!(json["message"].as_str().is_some_and(|m| !m.is_empty()));
    assert_eq!(response.headers()["content-type"], "application/json");
}
