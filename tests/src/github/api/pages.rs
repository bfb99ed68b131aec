//! Lists in pages, and conditional requests.
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ETAG, IF_NONE_MATCH, LINK},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::github::{
    API,
    response::{Fields, field},
    world::GitHubWorld,
};

impl GitHubWorld {
    /// Lets this happen after the next page of a list, and before the one after it.
    pub fn after_page(&mut self, happens: impl FnOnce(&mut Self) + Send + 'static) {
        self.after_page = Some(Box::new(happens));
    }

    /// Makes a page of a list, numbered from 1, with links to the others.
    pub(super) fn paged(&mut self, path: &str, query: &Fields, all: Vec<Value>) -> Response {
        let number = |name, fallback| field(query, name).parse::<usize>().unwrap_or(fallback);
        let (size, page) = (
            number("per_page", 30).clamp(1, 100),
            number("page", 1).max(1),
        );
        let last = all.len().div_ceil(size).max(1);
        let shown: Vec<_> = all.into_iter().skip((page - 1) * size).take(size).collect();
        let to = |page: usize, rel: &str| {
            format!(
                "<{}{API}{path}?per_page={size}&page={page}>; rel=\"{rel}\"",
                self.url
            )
        };
        let mut ways = Vec::new();
        if page > 1 {
            ways.extend([to(page - 1, "prev"), to(1, "first")]);
        }
        if page < last {
            ways.extend([to(page + 1, "next"), to(last, "last")]);
        }
        let ways = ways.join(", ");
        self.page_is_out();
        linked(shown, &ways)
    }

    pub(super) fn page_is_out(&mut self) {
        if let Some(happens) = self.after_page.take() {
            happens(self);
        }
    }
}

/// A page with links to others.
pub(super) fn linked(shown: Vec<Value>, ways: &str) -> Response {
    let mut response = Json(shown).into_response();
    if !ways.is_empty() {
        let ways = HeaderValue::from_str(ways).expect("a header's value");
        response.headers_mut().insert(LINK, ways);
    }
    response
}

/// Adds an ETag to each response to a GET, and responds 304 to a client that knows it.
pub(super) async fn conditional(request: Request, next: Next) -> Response {
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    let reads = request.method() == Method::GET;
    let response = next.run(request).await;
    if !reads || response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body of our own");
    let mut hash = Sha256::new();
    hash.update(&body);
    hash.update(
        head.headers
            .get(LINK)
            .map_or(&b""[..], HeaderValue::as_bytes),
    );
    let etag = format!("W/\"{}\"", hex::encode(hash.finalize()));
    let etag = HeaderValue::from_str(&etag).expect("a header's value");
    let same = known.is_some_and(|known| known == etag);
    head.headers.insert(ETAG, etag);
    if same {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove("content-type");
        head.headers.remove("content-length");
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(body))
}
