//! Records requests and responses with their bodies, for tests that check them.
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use serde_json::Value;

use crate::github::{Shared, lock, requests::Exchange};

pub(super) async fn record(State(world): State<Shared>, request: Request, next: Next) -> Response {
    if lock(&world).exchanges.is_none() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let sent = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut exchange = Exchange {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        request: json(&sent),
        status: 0,
        response: None,
    };
    let request = Request::from_parts(head, Body::from(sent));
    let (head, body) = next.run(request).await.into_parts();
    let answered = to_bytes(body, usize::MAX).await.unwrap_or_default();
    exchange.status = head.status.as_u16();
    exchange.response = json(&answered);
    if let Some(exchanges) = &mut lock(&world).exchanges {
        exchanges.push(exchange);
    }
    Response::from_parts(head, Body::from(answered))
}

/// Reads a body as JSON, or as a text if it is none.
fn json(body: &[u8]) -> Option<Value> {
    let text = || Value::String(String::from_utf8_lossy(body).into_owned());
    (!body.is_empty()).then(|| serde_json::from_slice(body).unwrap_or_else(|_| text()))
}
