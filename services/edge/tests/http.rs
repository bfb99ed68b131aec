//! The public listener over real connections, as far as it goes without a service behind it.
use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use ck8s_edge::EdgeConfig;
use ck8s_rpc::{guard::GuardLayer, identify::MeshIdentify, mesh::Mesh, policy::Policy};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

const WEBHOOKS: &str = "/api/v1/webhooks/github";

struct Edge {
    address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

/// An edge whose mesh nobody serves: a call over it fails at once.
async fn edge_with(config: EdgeConfig, ready: bool) -> Edge {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let (channel, services) = {
        let mesh = Mesh::new();
        (mesh.channel("edge"), mesh.services(Routes::default()))
    };
    let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).expect("a policy");
    let guard = GuardLayer::new(
        Arc::new(policy),
        Arc::new(MeshIdentify::new(channel.clone())),
    );
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let served = tokio::spawn(async move {
        let missing = move || async move {
            if ready {
                vec![]
            } else {
                vec!["database", "runs"]
            }
        };
        ck8s_edge::serve(listener, config, services, guard, channel, missing, stop)
            .await
            .expect("served");
    });
    Edge {
        address,
        shutdown,
        served,
    }
}

async fn edge() -> Edge {
    edge_with(EdgeConfig::default(), true).await
}

impl Edge {
    async fn send(
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

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
    }

    fn webhook(&self) -> http::request::Builder {
        self.request(Method::POST, WEBHOOKS)
            .header("content-type", "application/json")
            .header("x-github-event", "ping")
            .header("x-github-delivery", "d-1")
    }

    /// Sends bytes as they are and reads the answer to the end of the connection.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        stream.write_all(bytes).await.expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("read");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[track_caller]
fn refused(response: &Response<Bytes>, status: u16, code: &str, delivery_id: &str) {
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

#[tokio::test]
async fn only_post_is_taken() {
    let edge = edge().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let response = edge.send(edge.request(method, WEBHOOKS), "").await;
        refused(&response, 405, "METHOD_NOT_ALLOWED", "");
        assert_eq!(response.headers()["allow"], "POST");
    }
}

#[tokio::test]
async fn only_json_is_taken() {
    let edge = edge().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "",
    ] {
        let request = edge
            .request(Method::POST, WEBHOOKS)
            .header("content-type", kind)
            .header("x-github-delivery", "d-1");
        let response = edge.send(request, "payload=%7B%7D").await;
        refused(&response, 415, "CONTENT_TYPE_INVALID", "d-1");
        let says_how = String::from_utf8_lossy(response.body()).contains("webhook settings");
        assert_eq!(says_how, kind.contains("form"), "{kind}");
    }
    refused(
        &edge.send(edge.request(Method::POST, WEBHOOKS), "{}").await,
        415,
        "CONTENT_TYPE_INVALID",
        "",
    );
    // In order, but nobody is behind the edge.
    let request = edge
        .request(Method::POST, WEBHOOKS)
        .header("content-type", "Application/JSON; charset=utf-8");
    refused(&edge.send(request, "{}").await, 503, "UNAVAILABLE", "");
}

#[tokio::test]
async fn without_ingress_it_says_so_and_when_to_come_again() {
    let edge = edge().await;
    let response = edge.send(edge.webhook(), "{}").await;
    refused(&response, 503, "UNAVAILABLE", "d-1");
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn large_bodies_are_refused_announced_or_not() {
    let edge = edge().await;
    refused(
        &edge
            .send(edge.webhook(), vec![b' '; 26 * 1024 * 1024])
            .await,
        413,
        "BODY_TOO_LARGE",
        "d-1",
    );
    refused(
        &edge
            .send(edge.webhook(), vec![b' '; 25 * 1024 * 1024 + 1])
            .await,
        413,
        "BODY_TOO_LARGE",
        "d-1",
    );
    refused(
        &edge
            .send(edge.webhook(), vec![b' '; 25 * 1024 * 1024])
            .await,
        503,
        "UNAVAILABLE",
        "d-1",
    );

    let head = format!("POST {WEBHOOKS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n");
    // Who asks first hears no before the body.
    let asks = format!(
        "{head}expect: 100-continue\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n"
    );
    let answer = edge.raw(asks.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // Who announces nothing is cut off on the way.
    let mut chunked =
        format!("{head}transfer-encoding: chunked\r\nconnection: close\r\n\r\n").into_bytes();
    let chunk = vec![b'x'; 1024 * 1024];
    for _ in 0..26 {
        chunked.extend_from_slice(b"100000\r\n");
        chunked.extend_from_slice(&chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let answer = edge.raw(&chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn headers_that_come_twice_are_refused() {
    let edge = edge().await;
    for name in [
        "x-github-event",
        "x-github-delivery",
        "x-hub-signature-256",
        "content-type",
    ] {
        let request = edge
            .webhook()
            .header("x-hub-signature-256", "sha256=00")
            .header(name, "x");
        refused(&edge.send(request, "{}").await, 400, "HEADER_REPEATED", "");
    }
}

#[tokio::test]
async fn an_odd_delivery_id_is_not_told_back() {
    let edge = edge().await;
    for id in ["x".repeat(10_000).as_str(), "a b"] {
        let request = edge
            .request(Method::POST, WEBHOOKS)
            .header("content-type", "application/json")
            .header("x-github-delivery", id);
        refused(&edge.send(request, "{}").await, 503, "UNAVAILABLE", "");
    }
    let request = edge
        .request(Method::POST, WEBHOOKS)
        .header("content-type", "application/json")
        .header("x-github-delivery", "\"}");
    refused(&edge.send(request, "{}").await, 503, "UNAVAILABLE", "\"}");
}

#[tokio::test]
async fn one_address_is_bounded() {
    let edge = edge_with(
        EdgeConfig {
            webhook_rate: 1,
            ..EdgeConfig::default()
        },
        true,
    )
    .await;
    let (first, second) = tokio::join!(
        edge.send(edge.webhook(), "{}"),
        edge.send(edge.webhook(), "{}")
    );
    let limited = [first, second]
        .into_iter()
        .find(|r| r.status() == StatusCode::TOO_MANY_REQUESTS)
        .expect("one is limited");
    refused(&limited, 429, "RATE_LIMITED", "d-1");
    assert_eq!(limited.headers()["retry-after"], "1");
}

#[tokio::test]
async fn it_says_how_it_is() {
    let edge = edge().await;
    let get = |path: &'static str| edge.send(edge.request(Method::GET, path), "");
    assert_eq!(get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(get("/readyz").await.status(), StatusCode::OK);
    let version: Value = serde_json::from_slice(get("/version").await.body()).expect("JSON");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["revision"].is_string() && version["build_time"].is_string());
    assert_eq!(
        edge.send(edge.request(Method::POST, "/healthz"), "")
            .await
            .status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    let unready = edge_with(EdgeConfig::default(), false).await;
    assert_eq!(
        unready
            .send(unready.request(Method::GET, "/readyz"), "")
            .await
            .status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        unready
            .send(unready.request(Method::GET, "/healthz"), "")
            .await
            .status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn the_console_comes_with_its_headers() {
    let edge = edge().await;
    let get = |path: &'static str| edge.send(edge.request(Method::GET, path), "");
    for path in ["/", "/index.html", "/runs/0193"] {
        let page = get(path).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers()["cache-control"], "no-cache");
        let policy = page.headers()["content-security-policy"]
            .to_str()
            .expect("a text");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(page.headers()["referrer-policy"], "no-referrer");
        assert_eq!(page.headers()["x-content-type-options"], "nosniff");
        let again = edge
            .request(Method::GET, path)
            .header("if-none-match", page.headers()["etag"].clone());
        assert_eq!(
            edge.send(again, "").await.status(),
            StatusCode::NOT_MODIFIED
        );
        let head = edge.send(edge.request(Method::HEAD, path), "").await;
        assert!(
            head.body().is_empty()
                && head.headers()["content-length"] == page.body().len().to_string().as_str()
        );
    }
    for path in [
        "/missing.js",
        "/api/v1/nothing",
        "/../Cargo.toml",
        "/assets/../../Cargo.toml",
    ] {
        refused(&get(path).await, 404, "NOT_FOUND", "");
    }
    refused(
        &edge.send(edge.request(Method::POST, "/"), "").await,
        404,
        "NOT_FOUND",
        "",
    );
}

#[tokio::test]
async fn hashed_files_are_kept_for_good() {
    let edge = edge().await;
    let page = edge.send(edge.request(Method::GET, "/"), "").await;
    let page = String::from_utf8_lossy(page.body()).into_owned();
    let start = page.find("/assets/").expect("a script");
    let path = page[start..].split('"').next().expect("a path");
    let file = edge.send(edge.request(Method::GET, path), "").await;
    assert_eq!(file.status(), StatusCode::OK);
    assert_eq!(
        file.headers()["cache-control"],
        "public, max-age=31536000, immutable"
    );
}

#[tokio::test]
async fn grpc_and_grpc_web_are_guarded() {
    let edge = edge().await;
    for (kind, version) in [
        ("application/grpc-web+proto", http::Version::HTTP_11),
        ("application/grpc", http::Version::HTTP_2),
    ] {
        let request = edge
            .request(Method::POST, "/ck8s.runs.v1.RunsService/ListRuns")
            .version(version)
            .header("content-type", kind)
            .header("te", "trailers");
        let mut builder = Client::builder(TokioExecutor::new());
        let client = builder
            .http2_only(version == http::Version::HTTP_2)
            .build_http();
        let request = request
            .body(Full::new(Bytes::from_static(&[0; 5])))
            .expect("a request");
        let response = client.request(request).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{kind}");
        let status = response.headers().get("grpc-status").cloned();
        let body = response.into_body().collect().await.expect("a body");
        let trailer = body.trailers().and_then(|t| t.get("grpc-status").cloned());
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        let code = status.or(trailer).map_or(text, |code| {
            format!("grpc-status:{}", code.to_str().expect("a number"))
        });
        assert!(code.contains("grpc-status:16"), "{kind}: {code:?}");
    }
}

#[tokio::test]
async fn what_is_under_way_ends_before_the_edge_does() {
    let edge = edge().await;
    let mut stream = TcpStream::connect(edge.address).await.expect("connected");
    let head = format!(
        "POST {WEBHOOKS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    // An answer on another connection: by then the first one was accepted.
    edge.send(edge.request(Method::GET, "/healthz"), "").await;
    edge.shutdown.cancel();
    let gone = async {
        while TcpStream::connect(edge.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .expect("no new connections");
    stream.write_all(b"}").await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("read");
    assert!(
        answer.starts_with(b"HTTP/1.1 503"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    tokio::time::timeout(Duration::from_secs(5), edge.served)
        .await
        .expect("ended")
        .expect("well");
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_on_one_port() {
    let edge = edge().await;
    let stream = TcpStream::connect(edge.address).await.expect("connected");
    assert!(stream.nodelay().is_ok());
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    let request = edge
        .request(Method::GET, "/healthz")
        .body(Full::new(Bytes::new()))
        .expect("a request");
    let response = send.send_request(request).await.expect("an answer");
    assert_eq!(
        (response.version(), response.status()),
        (http::Version::HTTP_2, StatusCode::OK)
    );
}

#[tokio::test]
async fn on_its_way_out_it_still_answers_and_asks_for_another_connection() {
    let leaving = CancellationToken::new();
    let config = EdgeConfig {
        leaving: leaving.clone(),
        ..EdgeConfig::default()
    };
    let edge = edge_with(config, true).await;
    let before = edge.send(edge.request(Method::GET, "/healthz"), "").await;
    assert_eq!(before.headers().get("connection"), None);
    leaving.cancel();
    let after = edge.send(edge.request(Method::GET, "/healthz"), "").await;
    assert_eq!(after.status(), 200);
    assert_eq!(after.headers()["connection"], "close");
}
