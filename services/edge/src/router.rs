//! Routes each request to what answers it: webhooks, gRPC, sign-in, probes, or the console.
use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc};

use ck8s_rpc::{ClientAddress, mesh::Services};
use http::{Method, Request, Response, header::CONTENT_TYPE};
use hyper::body::Incoming;
use ipnet::IpNet;
use tonic::body::Body;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer, Service, ServiceExt};

use crate::{
    auth::AuthEndpoints, client_address::client_address, console, probes, rate_limit::RateLimited,
    request_head, response::CodeResponse, version::Version, webhook::WebhookEndpoint,
};

/// The path of webhooks, with or without a slash at its end: people type it into a form.
const WEBHOOKS_PATH: &str = "/api/v1/webhooks/github";

/// Returns the names of what the process needs and lacks now.
pub(crate) type Readiness =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<&'static str>> + Send>> + Send + Sync>;

/// The router; a clone is the same router.
#[derive(Clone)]
pub(crate) struct Router {
    webhooks: Arc<WebhookEndpoint>,
    auth: AuthEndpoints,
    grpc: GrpcWebService<RateLimited<Services>>,
    readiness: Readiness,
    trusted_proxies: Arc<[IpNet]>,
    version: Arc<Version>,
}

/// The parts of a router.
pub(crate) struct RouterParts {
    pub(crate) webhooks: WebhookEndpoint,
    pub(crate) auth: AuthEndpoints,
    pub(crate) grpc: RateLimited<Services>,
    pub(crate) readiness: Readiness,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) version: Version,
}

impl Router {
    pub(crate) fn new(parts: RouterParts) -> Self {
        Self {
            webhooks: Arc::new(parts.webhooks),
            auth: parts.auth,
            grpc: GrpcWebLayer::new().layer(parts.grpc),
            readiness: parts.readiness,
            trusted_proxies: parts.trusted_proxies.into(),
            version: Arc::new(parts.version),
        }
    }

    /// Answers one request. `peer` is the other end of its connection.
    pub(crate) async fn route(
        &self,
        mut request: Request<Incoming>,
        peer: IpAddr,
    ) -> Response<Body> {
        if request_head::is_too_large(request.uri(), request.headers()) {
            return request_head::refusal().into_response();
        }
        let client = client_address(peer, request.headers(), &self.trusted_proxies);
        let path = request.uri().path();
        if path.strip_suffix('/').unwrap_or(path) == WEBHOOKS_PATH {
            return self.webhooks.handle(request, client).await;
        }
        if is_grpc(&request) {
            request.extensions_mut().insert(ClientAddress(client));
            return self.grpc(request).await;
        }
        if AuthEndpoints::serves(path) {
            return self.auth.handle(request, client).await;
        }
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let response = match path {
            "/healthz" | "/readyz" | "/version" if !is_read => {
                CodeResponse::method_not_allowed("GET")
                    .for_delivery(String::new())
                    .into_response()
            }
            "/healthz" => probes::health(),
            "/readyz" => probes::readiness(&(self.readiness)().await),
            "/version" => probes::version(&self.version),
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
    let content_type = request.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}
