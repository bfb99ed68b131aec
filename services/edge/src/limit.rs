//! How often an address may call the methods that ask nobody who they are. It stands inside gRPC-web, so that everybody reads its answer.
use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use ck8s_rpc::{
    rate::{Rate, subscriber},
    status,
};
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

/// The methods of the contract that admit anonymous callers; a test holds the list to the contract.
const ANONYMOUS: [&str; 7] = [
    "/ck8s.auth.v1.AuthService/JoinWorker",
    "/ck8s.auth.v1.AuthService/ListSigningKeys",
    "/ck8s.auth.v1.AuthService/PollDeviceSignIn",
    "/ck8s.auth.v1.AuthService/RedeemLink",
    "/ck8s.auth.v1.AuthService/RefreshSession",
    "/ck8s.auth.v1.AuthService/SignOut",
    "/ck8s.auth.v1.AuthService/StartDeviceSignIn",
];

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From(pub IpAddr);

/// A service with the limit in front.
#[derive(Clone)]
pub(crate) struct Limited<S> {
    inner: S,
    rate: Arc<Rate<IpAddr>>,
}

impl<S> Limited<S> {
    pub(crate) fn new(inner: S, rate: Arc<Rate<IpAddr>>) -> Self {
        Self { inner, rate }
    }
}

impl<S> Service<Request<Body>> for Limited<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let limited = ANONYMOUS.contains(&request.uri().path());
        let from = request.extensions().get::<From>().filter(|_| limited);
        if let Some(From(address)) = from
            && let Err(wait) = self.rate.take(subscriber(*address), Instant::now())
        {
            let status = status::limited("calls from this address", wait);
            return Box::pin(async move { Ok(status.into_http()) });
        }
        Box::pin(self.inner.call(request))
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::{DescriptorPool, Value};

    use super::*;

    #[test]
    fn every_method_that_admits_anybody_is_limited() {
        let pool = DescriptorPool::decode(ck8s_proto::FILE_DESCRIPTOR_SET).expect("a set");
        let option = pool
            .get_extension_by_name("ck8s.policy.v1.rule")
            .expect("the option");
        let anonymous = |method: &prost_reflect::MethodDescriptor| {
            let options = method.options();
            let rule = options.get_extension(&option);
            let callers = rule
                .as_message()
                .and_then(|rule| rule.get_field_by_name("callers").map(|c| c.into_owned()));
            let Some(Value::List(callers)) = callers else {
                return false;
            };
            let anonymous = ck8s_proto::policy::v1::Caller::Anonymous as i32;
            callers
                .iter()
                .any(|caller| caller.as_enum_number() == Some(anonymous))
        };
        let methods = pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>());
        let mut wanted: Vec<String> = methods
            .filter(anonymous)
            .map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()))
            .collect();
        wanted.sort_unstable();
        assert_eq!(wanted, ANONYMOUS);
    }
}
