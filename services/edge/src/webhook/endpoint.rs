//! Answers webhooks: checks each request, reads its body, and hands it to ingress.
use std::{net::IpAddr, time::Duration};

use ck8s_proto::ingress::v1::{IngestOutcome, IngestResult, Webhook};
use ck8s_rpc::rate::{Rate, subscriber, whole_seconds};
use http::{Method, Request, Response, StatusCode, header::EXPECT, request::Parts};
use hyper::body::Incoming;
use moka::sync::Cache;
use tonic::body::Body;

use super::{
    body::{self, BodyError},
    headers::{self, WebhookHeaders},
    ingress_client::IngressClient,
    memory_budget::{MemoryBudget, Standing},
};
use crate::response::CodeResponse;

/// Bounds a body: GitHub's own limit.
const MAX_BODY_BYTES: usize = 25 * 1024 * 1024;
/// The part of the process's memory that all bodies may take: ingress holds another copy of those that it works on.
const MEMORY_PART: u64 = 4;
/// What all bodies may take at least, but no more than half of the memory: one of the largest fits into each address's
/// share.
const MIN_BUDGET_BYTES: usize = 4 * MAX_BODY_BYTES;
/// How long an address is proven after its last genuine webhook.
const PROVEN_TTL: Duration = Duration::from_secs(24 * 3600);
/// Bounds the addresses that are remembered as proven. A provider sends from a few hundred.
const MAX_PROVEN_ADDRESSES: u64 = 10_000;
/// After these answers the rest of a body is not read: it does not come, or too much of it does.
const WITHOUT_DISCARD: [StatusCode; 2] =
    [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];

/// The endpoint of webhooks.
pub(crate) struct WebhookEndpoint {
    ingress: IngressClient,
    budget: MemoryBudget,
    rate: Rate<IpAddr>,
    /// The addresses that a genuine webhook came from lately.
    proven: Cache<IpAddr, ()>,
}

impl WebhookEndpoint {
    /// `rate` bounds the webhooks of one address per second; 0: no limit. `memory_bytes` is the process's memory.
    pub(crate) fn new(ingress: IngressClient, rate: u32, memory_bytes: u64) -> Self {
        Self {
            ingress,
            budget: MemoryBudget::new(budget_bytes(memory_bytes), MAX_BODY_BYTES),
            rate: Rate::per_second(rate),
            proven: Cache::builder()
                .max_capacity(MAX_PROVEN_ADDRESSES)
                .time_to_idle(PROVEN_TTL)
                .build(),
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
        let client = subscriber(client);
        self.check_rate(client)?;
        let headers = headers?;
        if headers
            .content_length
            .is_some_and(|length| length > MAX_BODY_BYTES as u64)
        {
            return Err(body_error(BodyError::TooLarge));
        }
        headers.check_content_type()?;
        let standing = self.standing(client);
        let mut share = self.budget.share(client, standing);
        let read = body::read(body, MAX_BODY_BYTES, &mut share).await;
        let bytes = read.map_err(body_error)?;
        let webhook = Webhook {
            provider: "github".to_owned(),
            event: headers.event,
            delivery_id: headers.delivery_id,
            signature: headers.signature,
            body: bytes,
            content_type: headers.content_type,
        };
        let result = self.ingress.ingest(webhook, share).await;
        let result = result.map_err(|error| {
            CodeResponse::unavailable(&format!("{error}; send it again, it is stored once"))
        })?;
        if standing == Standing::Unproven && is_genuine(&result) {
            self.proven.insert(client, ());
        }
        Ok(outcome(result))
    }

    fn standing(&self, client: IpAddr) -> Standing {
        // Reading it keeps it.
        match self.proven.get(&client) {
            Some(()) => Standing::Proven,
            None => Standing::Unproven,
        }
    }

    fn check_rate(&self, client: IpAddr) -> Result<(), CodeResponse> {
        let Err(wait) = self.rate.check(client) else {
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

/// Whether the webhook had a valid signature.
fn is_genuine(result: &IngestResult) -> bool {
    matches!(
        result.outcome(),
        IngestOutcome::Accepted | IngestOutcome::Duplicate
    )
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

/// Returns what all bodies may take in a process of so much memory.
fn budget_bytes(memory_bytes: u64) -> usize {
    let floor = u64::try_from(MIN_BUDGET_BYTES).unwrap_or(u64::MAX);
    let bytes = (memory_bytes / MEMORY_PART).max(floor.min(memory_bytes / 2));
    usize::try_from(bytes).unwrap_or(usize::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_take_a_quarter_of_the_memory_and_never_more_than_half() {
        let megabytes = |memory: u64| budget_bytes(memory << 20) >> 20;
        assert_eq!(megabytes(2048), 512);
        assert_eq!(megabytes(512), 128);
        assert_eq!(megabytes(256), 100);
        assert_eq!(megabytes(128), 64);
        assert_eq!(megabytes(64), 32);
    }
}
