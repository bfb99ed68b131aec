//! Protocols, and the end of connections.
use std::time::Duration;

use bytes::Bytes;
use ck8s_edge::EdgeConfig;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::world::{WEBHOOKS, edge, edge_with};

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
async fn a_request_under_way_ends_before_the_edge_does() {
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
async fn one_port_speaks_both_versions_of_http() {
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
async fn a_large_head_is_refused_and_the_connection_stays() {
    let edge = edge().await;
    let mut stream = TcpStream::connect(edge.address).await.expect("connected");
    for (bytes, status) in [(20_000, 200), (40_000, 431), (20_000, 200)] {
        let value = "x".repeat(bytes);
        let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: {value}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(answer, *format!("HTTP/1.1 {status}").as_bytes());
        read_rest(&mut stream).await;
    }
    // Nobody reads so much to the end.
    let value = "x".repeat(400_000);
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: {value}\r\n\r\n");
    let answer = edge.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many: String = (0..2_000).map(|n| format!("x-{n}: \r\n")).collect();
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    let answer = edge.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

/// Reads what is left of a response that has arrived.
async fn read_rest(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    while !rest.ends_with(b"}") {
        let read = stream.read_buf(&mut rest).await.expect("read");
        assert!(read > 0, "the connection stays");
    }
}

#[tokio::test]
async fn a_large_head_over_http2_is_refused_and_others_go_on() {
    let edge = edge().await;
    let stream = TcpStream::connect(edge.address).await.expect("connected");
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    for (bytes, status) in [(20_000, 200), (40_000, 431), (70_000, 431), (20_000, 200)] {
        let request = edge
            .request(Method::GET, "/healthz")
            .header("x-large", "x".repeat(bytes))
            .body(Full::new(Bytes::new()))
            .expect("a request");
        let response = send.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), status, "{bytes}");
    }
}

#[tokio::test]
async fn a_draining_edge_still_answers_and_asks_for_another_connection() {
    let draining = CancellationToken::new();
    let config = EdgeConfig {
        draining: draining.clone(),
        ..EdgeConfig::default()
    };
    let edge = edge_with(config, true).await;
    let before = edge.send(edge.request(Method::GET, "/healthz"), "").await;
    assert_eq!(before.headers().get("connection"), None);
    draining.cancel();
    let after = edge.send(edge.request(Method::GET, "/healthz"), "").await;
    assert_eq!(after.status(), 200);
    assert_eq!(after.headers()["connection"], "close");
}
