//! Deadlines of calls, and which layer stands in front of the services of this process.
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tonic::{Code, Status, body::Body};
use tower::{Service, ServiceExt};

use super::*;
use crate::policy::Policy;

const UNARY: &str = "/ck8s.runs.v1.RunsService/GetRun";
const STREAM: &str = "/ck8s.runs.v1.RunsService/WatchRuns";

/// Long enough for a call that is answered, short enough to wait for.
const SHORT_TIMEOUT: Duration = Duration::from_millis(50);

fn mesh() -> Mesh {
    let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
    assert!(policy.method(STREAM).is_some_and(|method| method.streaming));
    Mesh::with(Remotes::new(Arc::new(policy)))
}

fn request(path: &str, timeout: Option<&str>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = format!("http://test{path}").parse().unwrap();
    if let Some(timeout) = timeout {
        let value = timeout.parse().unwrap();
        request.headers_mut().insert("grpc-timeout", value);
    }
    request
}

/// Routes that answer every path with the timeout of the request, as the message of an OK status.
fn timeout_routes() -> Routes {
    let timeout = |request: axum::extract::Request| async move {
        let timeout = request.headers().get("grpc-timeout");
        let timeout = timeout.map_or("none", |value| value.to_str().unwrap());
        Status::new(Code::Ok, timeout).into_http::<axum::body::Body>()
    };
    axum::Router::new().fallback(timeout).into()
}

async fn status<S>(service: S, request: Request<Body>) -> Status
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Error: std::fmt::Debug,
{
    let response = service.oneshot(request).await.unwrap();
    Status::from_header_map(response.headers()).unwrap()
}

#[tokio::test]
async fn a_call_without_a_timeout_gets_that_of_its_channel_and_a_stream_gets_none() {
    let mesh = mesh();
    let down = CancellationToken::new();
    let serving = tokio::spawn({
        let (mesh, down) = (mesh.clone(), down.clone());
        async move {
            let plain = tower::layer::util::Identity::new();
            mesh.serve(timeout_routes(), plain, down).await
        }
    });
    let channel = mesh.channel("ingress");
    let long = channel.clone().with_timeout(Duration::from_secs(60));
    for (channel, path, own, expected) in [
        (&channel, UNARY, None, "8000m"),
        (&long, UNARY, None, "60000m"),
        (&long, UNARY, Some("5S"), "5S"),
        (&long, STREAM, None, "none"),
        (&long, STREAM, Some("5S"), "5S"),
    ] {
        let answer = status(channel.clone(), request(path, own)).await;
        assert_eq!(answer.message(), expected, "{path} {own:?}");
    }
    down.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_on_a_mesh_that_is_not_served_ends_at_its_deadline() {
    let mesh = mesh();
    let channel = mesh.channel("ingress").with_timeout(SHORT_TIMEOUT);
    let answer = status(channel, request(UNARY, None)).await;
    assert_eq!(answer.code(), Code::DeadlineExceeded);
}

/// Counts the calls that pass it.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            count: self.0.clone(),
        }
    }
}

#[derive(Clone)]
struct Counted<S> {
    inner: S,
    count: Arc<AtomicUsize>,
}

impl<S> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.inner.call(request)
    }
}

#[tokio::test]
async fn a_service_of_this_process_stands_behind_the_local_layer_alone() {
    let (local, remote) = (Counting::default(), Counting::default());
    let services = mesh().services(timeout_routes(), &local, &remote);
    assert_eq!(
        status(services, request(UNARY, None)).await.code(),
        Code::Ok
    );
    assert_eq!(local.0.load(Ordering::Relaxed), 1);
    assert_eq!(remote.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_message_that_strangers_may_send_is_small() {
    let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
    let open = "/ck8s.auth.v1.AuthService/SignOut";
    assert!(policy.admits_strangers(open));
    let remotes = Remotes::new(Arc::new(policy));
    let max_bytes = |path| remotes.call_plan(path).max_message_bytes;
    assert_eq!(max_bytes(open), 64 * 1024);
    assert_eq!(max_bytes(UNARY), MAX_MESSAGE_BYTES);
}
