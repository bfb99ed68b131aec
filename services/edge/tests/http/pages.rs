//! The probes and the files of the console.
use ck8s_edge::EdgeConfig;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::world::{check_refused, edge, edge_with};

#[tokio::test]
async fn the_probes_show_the_state_and_the_version() {
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
async fn the_console_is_served_with_its_security_headers() {
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
        check_refused(&get(path).await, 404, "NOT_FOUND", "");
    }
    check_refused(
        &edge.send(edge.request(Method::POST, "/"), "").await,
        404,
        "NOT_FOUND",
        "",
    );
}

#[tokio::test]
async fn files_with_a_hash_are_cached_for_good() {
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
