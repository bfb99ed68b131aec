//! Which request goes where.
use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc};

use ck8s_rpc::{guard::Guard, mesh::Services};
use http::{Method, Request, Response, header::CONTENT_TYPE};
use hyper::body::Incoming;
use ipnet::IpNet;
use tonic::body::Body;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer, Service, ServiceExt};

use crate::{
    Version,
    answer::Answer,
    auth::SignIn,
    console, forwarded, info,
    limit::{From, Limited},
    webhook::Webhooks,
};

const WEBHOOKS: &str = "/api/v1/webhooks/github";

/// Asks what the process needs and does not have.
pub(crate) type Missing =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<&'static str>> + Send>> + Send + Sync>;

/// Everything that answers; a clone is the same.
#[derive(Clone)]
pub(crate) struct Router {
    webhooks: Arc<Webhooks>,
    sign_in: SignIn,
    grpc: GrpcWebService<Limited<Guard<Services>>>,
    missing: Missing,
    trusted_proxies: Arc<[IpNet]>,
    version: Arc<Version>,
}

/// What it is made of.
pub(crate) struct Parts {
    pub(crate) webhooks: Webhooks,
    pub(crate) sign_in: SignIn,
    pub(crate) grpc: Limited<Guard<Services>>,
    pub(crate) missing: Missing,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) version: Version,
}

impl Router {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            webhooks: Arc::new(parts.webhooks),
            sign_in: parts.sign_in,
            grpc: GrpcWebLayer::new().layer(parts.grpc),
            missing: parts.missing,
            trusted_proxies: parts.trusted_proxies.into(),
            version: Arc::new(parts.version),
        }
    }

    /// Answers one request.
    pub(crate) async fn route(
        &self,
        mut request: Request<Incoming>,
        peer: IpAddr,
    ) -> Response<Body> {
        let from = forwarded::address(peer, request.headers(), &self.trusted_proxies);
        let path = request.uri().path();
        if path == WEBHOOKS {
            return self.webhooks.take(request, from).await;
        }
        if is_grpc(&request) {
            request.extensions_mut().insert(From(from));
            return self.grpc(request).await;
        }
        if SignIn::takes(path) {
            return self.sign_in.answer(request, from).await;
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
