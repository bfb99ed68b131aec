//! gRPC-web frames: bodies that browsers send, decoded by the layer and the server of every service.
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use ck8s_rpc::{guard::GuardLayer, identify::MeshIdentify, mesh::Mesh, policy::Policy};
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Limited};
use tonic::{Code, service::Routes};
use tower::ServiceExt;

/// The header or trailer with the code.
const STATUS: &str = "grpc-status";

/// More bytes than an answer has.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// The content types of gRPC-web, and those that are nearly so.
const CONTENT_TYPES: &[&str] = &[
    "application/grpc-web+proto",
    "application/grpc-web-text+proto",
    "application/grpc-web",
    "application/grpc-web-text",
    "application/grpc",
    "application/json",
];

/// Sends a body to a method. The first byte says which content type it has.
pub(crate) fn run(input: &[u8]) {
    let Some((first, body)) = input.split_first() else {
        return;
    };
    let content_type = CONTENT_TYPES[usize::from(*first) % CONTENT_TYPES.len()];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime
        .expect("a runtime")
        .block_on(send(content_type, body));
}

async fn send(content_type: &str, body: &[u8]) {
    let (_, health) = tonic_health::server::health_reporter();
    let service = Routes::new(health)
        .into_axum_router()
        .layer(guard())
        .layer(tonic_web::GrpcWebLayer::new());
    let request = Request::post("http://test/grpc.health.v1.Health/Check")
        .version(Version::HTTP_2)
        .header("content-type", content_type)
        .body(Body::from(body.to_vec()))
        .expect("a request");
    let answer = service.oneshot(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let statuses = [
        StatusCode::OK,
        StatusCode::BAD_REQUEST,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
    ];
    assert!(statuses.contains(&head.status), "{}", head.status);
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
    let body = body.expect("a body");
    let of_trailers = body.trailers().and_then(|trailers| trailers.get(STATUS));
    let code = head.headers.get(STATUS).or(of_trailers);
    let code = code.map(|code| Code::from_bytes(code.as_bytes()));
    let is_fault = matches!(code, Some(Code::Unknown | Code::Internal));
    assert!(!is_fault, "{:?}", head.headers);
}

/// Returns the guard of the public listener. Nobody here has a token, so it asks nobody whose that is.
fn guard() -> GuardLayer {
    static GUARD: LazyLock<GuardLayer> = LazyLock::new(|| {
        let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET);
        let policy = Arc::new(policy.expect("a policy"));
        let identity = MeshIdentify::new(Mesh::new().channel("edge"));
        GuardLayer::new(policy, Arc::new(identity)).public()
    });
    GUARD.clone()
}
