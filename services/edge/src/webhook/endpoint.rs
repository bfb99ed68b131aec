//! Answers webhooks: checks each request, reads its body, and hands it to ingress.
use std::net::IpAddr;

use ck8s_proto::ingress::v1::{IngestOutcome, IngestResult, Webhook};
use ck8s_rpc::rate::{Rate, subscriber, whole_seconds};
use http::{Method, Request, Response, StatusCode, header::EXPECT, request::Parts};
use hyper::body::Incoming;
use tonic::body::Body;

use super::{
    body::{self, BodyError},
    headers::{self, WebhookHeaders},
    ingress_client::IngressClient,
    memory_budget::MemoryBudget,
};
use crate::response::CodeResponse;

/// Bounds a body: GitHub's own limit.
const MAX_BODY_BYTES: usize = 25 * 1024 * 1024;
/// Bounds all bodies in memory.
const MAX_MEMORY_BYTES: usize = 512 * 1024 * 1024;
/// After these answers the rest of a body is not read: it does not come, or too much of it does.
const WITHOUT_DISCARD: [StatusCode; 2] =
    [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];

/// The endpoint of webhooks.
pub(crate) struct WebhookEndpoint {
    ingress: IngressClient,
    budget: MemoryBudget,
    rate: Rate<IpAddr>,
}

impl WebhookEndpoint {
    /// `rate` bounds the webhooks of one address per second; 0: no limit.
    pub(crate) fn new(ingress: IngressClient, rate: u32) -> Self {
        Self {
            ingress,
            budget: MemoryBudget::new(MAX_MEMORY_BYTES),
            rate: Rate::per_second(rate),
        }
    }

    /// Answers one webhook.
    pub(crate) async fn handle(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
    ) -> Response<Body> {
        let (head, mut body) = request.into_parts();
        // A client that waits for `100 Continue` sends no body after a refusal.
        let expects_continue = head.headers.contains_key(EXPECT);
        let headers = headers::read(&head.headers);
        let delivery_id = headers
            .as_ref()
            .map_or_else(|_| String::new(), WebhookHeaders::echo_delivery_id);
        let response = match self.ingest(&head, headers, &mut body, client).await {
            Ok(response) => response,
            Err(response) => {
                if !expects_continue && !WITHOUT_DISCARD.contains(&response.status) {
                    body::discard(&mut body).await;
                }
                response
            }
        };
        let response = response.for_delivery(delivery_id);
        metrics::counter!("ck8s_edge_webhooks_total", "code" => response.code.clone()).increment(1);
        response.into_response()
    }

    /// Returns the outcome of the webhook, or an error that keeps it from ingress.
    async fn ingest(
        &self,
        head: &Parts,
        headers: Result<WebhookHeaders, CodeResponse>,
        body: &mut Incoming,
        client: IpAddr,
    ) -> Result<CodeResponse, CodeResponse> {
        if head.method != Method::POST {
            return Err(CodeResponse::method_not_allowed("POST"));
        }
        self.check_rate(client)?;
        let headers = headers?;
        if headers
            .content_length
            .is_some_and(|length| length > MAX_BODY_BYTES as u64)
        {
            return Err(body_error(BodyError::TooLarge));
        }
        headers.check_content_type()?;
        let read = body::read(body, MAX_BODY_BYTES, &self.budget).await;
        let (bytes, share) = read.map_err(body_error)?;
        let webhook = Webhook {
            provider: "github".to_owned(),
            event: headers.event,
            delivery_id: headers.delivery_id,
            signature: headers.signature,
            body: bytes,
            content_type: headers.content_type,
        };
        let result = self.ingress.ingest(webhook, share).await;
        result.map(outcome).map_err(|error| {
            CodeResponse::unavailable(&format!("{error}; send it again, it is stored once"))
        })
    }

    fn check_rate(&self, client: IpAddr) -> Result<(), CodeResponse> {
        let Err(wait) = self.rate.check(subscriber(client)) else {
            return Ok(());
        };
        let message = "too many webhooks from this address; send it again later";
        let limited = CodeResponse::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message);
        Err(CodeResponse {
            retry_after: Some(whole_seconds(wait)),
            ..limited
        })
    }
}

fn outcome(result: IngestResult) -> CodeResponse {
    let status = match result.outcome() {
        IngestOutcome::Accepted => StatusCode::ACCEPTED,
        IngestOutcome::Duplicate => StatusCode::OK,
        IngestOutcome::Unauthenticated => StatusCode::UNAUTHORIZED,
        IngestOutcome::Invalid => StatusCode::BAD_REQUEST,
        IngestOutcome::Unavailable | IngestOutcome::Unspecified => {
            return CodeResponse::unavailable(&result.message);
        }
    };
    CodeResponse {
        code: result.code,
        message: result.message,
        ..CodeResponse::new(status, "", "")
    }
}

fn body_error(error: BodyError) -> CodeResponse {
    match error {
        BodyError::TooLarge => CodeResponse::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BODY_TOO_LARGE",
            "the body is larger than 25 MB",
        ),
        BodyError::Timeout => CodeResponse::new(
            StatusCode::REQUEST_TIMEOUT,
            "BODY_TIMEOUT",
            "the body did not come in time",
        ),
        BodyError::Incomplete => CodeResponse::new(
            StatusCode::BAD_REQUEST,
            "BODY_INCOMPLETE",
            "the body did not come in full",
        ),
        BodyError::OutOfMemory => {
            CodeResponse::unavailable("too many webhooks at once; send it again")
        }
    }
}
