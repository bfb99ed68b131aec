//! Which request goes where.
use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc};

use ck8s_rpc::{
    guard::{Guard, GuardLayer},
    mesh::Services,
};
use http::{Method, Request, Response, header::CONTENT_TYPE};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer, Service, ServiceExt};

use crate::{Version, answer::Answer, console, info, webhook::Webhooks};

const WEBHOOKS: &str = "/api/v1/webhooks/github";

/// Asks what the process needs and does not have.
pub(crate) type Missing =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<&'static str>> + Send>> + Send + Sync>;

/// Everything that answers; a clone is the same.
#[derive(Clone)]
pub(crate) struct Router {
    webhooks: Arc<Webhooks>,
    grpc: GrpcWebService<Guard<Services>>,
    missing: Missing,
    version: Arc<Version>,
}

impl Router {
    pub(crate) fn new(
        webhooks: Webhooks,
        grpc: Services,
        guard: &GuardLayer,
        missing: Missing,
        version: Version,
    ) -> Self {
        Self {
            webhooks: Arc::new(webhooks),
            grpc: GrpcWebLayer::new().layer(guard.clone().handing_on().layer(grpc)),
            missing,
            version: Arc::new(version),
        }
    }

    /// Answers one request.
    pub(crate) async fn route(&self, request: Request<Incoming>, from: IpAddr) -> Response<Body> {
        let path = request.uri().path();
        if path == WEBHOOKS {
            return self.webhooks.take(request, from).await;
        }
        if is_grpc(&request) {
            return self.grpc(request).await;
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let response = match path {
            "/healthz" | "/readyz" | "/version" if !reads => Answer::only("GET").into_response(),
            "/healthz" => info::health(),
            "/readyz" => info::readiness(&(self.missing)().await),
            "/version" => info::version(&self.version),
            _ => return console::serve(request.method(), path, request.headers()),
        };
        if request.method() == Method::HEAD {
            response.map(|_| Body::empty())
        } else {
            response
        }
    }

    async fn grpc(&self, request: Request<Incoming>) -> Response<Body> {
        let mut service = self.grpc.clone();
        let ready = ServiceExt::<Request<Incoming>>::ready(&mut service).await;
        match ready {
            Ok(service) => match service.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(never) => match never {},
        }
    }
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}
