//! Webhooks that the edge refuses by itself.
use ck8s_edge::EdgeConfig;
use http::{Method, StatusCode};

use crate::world::{WEBHOOKS, check_refused, edge, edge_with};

#[tokio::test]
async fn webhooks_must_be_posted() {
    let edge = edge().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let response = edge.send(edge.request(method, WEBHOOKS), "").await;
        check_refused(&response, 405, "METHOD_NOT_ALLOWED", "");
        assert_eq!(response.headers()["allow"], "POST");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_address_changes_nothing() {
    let edge = edge().await;
    let slash = format!("{WEBHOOKS}/");
    let response = edge.send(edge.request(Method::POST, &slash), "{}").await;
    check_refused(&response, 415, "CONTENT_TYPE_INVALID", "");
    let response = edge.send(edge.request(Method::GET, &slash), "").await;
    check_refused(&response, 405, "METHOD_NOT_ALLOWED", "");
}

#[tokio::test]
async fn webhooks_must_be_json() {
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
        check_refused(&response, 415, "CONTENT_TYPE_INVALID", "d-1");
        let says_how = String::from_utf8_lossy(response.body()).contains("webhook settings");
        assert_eq!(says_how, kind.contains("form"), "{kind}");
    }
    check_refused(
        &edge.send(edge.request(Method::POST, WEBHOOKS), "{}").await,
        415,
        "CONTENT_TYPE_INVALID",
        "",
    );
    // In order, but nobody is behind the edge.
    let request = edge
        .request(Method::POST, WEBHOOKS)
        .header("content-type", "Application/JSON; charset=utf-8");
    check_refused(&edge.send(request, "{}").await, 503, "UNAVAILABLE", "");
}

#[tokio::test]
async fn without_ingress_a_webhook_is_told_when_to_come_back() {
    let edge = edge().await;
    let response = edge.send(edge.webhook(), "{}").await;
    check_refused(&response, 503, "UNAVAILABLE", "d-1");
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_large_body_is_refused_whether_it_is_announced_or_not() {
    let edge = edge().await;
    check_refused(
        &edge
            .send(edge.webhook(), vec![b' '; 26 * 1024 * 1024])
            .await,
        413,
        "BODY_TOO_LARGE",
        "d-1",
    );
    check_refused(
        &edge
            .send(edge.webhook(), vec![b' '; 25 * 1024 * 1024 + 1])
            .await,
        413,
        "BODY_TOO_LARGE",
        "d-1",
    );
    check_refused(
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
async fn a_header_that_comes_twice_is_refused() {
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
        check_refused(&edge.send(request, "{}").await, 400, "HEADER_REPEATED", "");
    }
}

#[tokio::test]
async fn an_odd_delivery_id_is_not_sent_back() {
    let edge = edge().await;
    for id in ["x".repeat(10_000).as_str(), "a b"] {
        let request = edge
            .request(Method::POST, WEBHOOKS)
            .header("content-type", "application/json")
            .header("x-github-delivery", id);
        check_refused(&edge.send(request, "{}").await, 503, "UNAVAILABLE", "");
    }
    let request = edge
        .request(Method::POST, WEBHOOKS)
        .header("content-type", "application/json")
        .header("x-github-delivery", "\"}");
    check_refused(&edge.send(request, "{}").await, 503, "UNAVAILABLE", "\"}");
}

#[tokio::test]
async fn the_webhooks_of_one_address_are_limited() {
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
    check_refused(&limited, 429, "RATE_LIMITED", "d-1");
    assert_eq!(limited.headers()["retry-after"], "1");
}
