//! `POST /api/v1/webhooks/github`: from the request to the answer.
mod body;
mod headers;

use std::{net::IpAddr, time::Instant};

use ck8s_proto::ingress::v1::{IngestOutcome, IngestResult, Webhook};
use ck8s_rpc::rate::{Rate, subscriber, whole_seconds};
use http::{Method, Request, Response, StatusCode, header::EXPECT};
use hyper::body::Incoming;
use tonic::body::Body;

use self::{body::Unread, headers::Headers};
use crate::{answer::Answer, batch::Batches, budget::Budget};

/// GitHub's own limit.
const LARGEST_BODY: usize = 25 * 1024 * 1024;
/// Bodies in memory in all.
const MEMORY: usize = 512 * 1024 * 1024;
/// After these answers the rest of a body is not waited for: it does not come, or too much does.
const HOPELESS: [StatusCode; 2] = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];

/// What takes webhooks.
pub(crate) struct Webhooks {
    batches: Batches,
    budget: Budget,
    rate: Rate<IpAddr>,
}

impl Webhooks {
    pub(crate) fn new(batches: Batches, rate: u32) -> Self {
        Self {
            batches,
            budget: Budget::new(MEMORY),
            rate: Rate::per_second(rate),
        }
    }

    /// Answers one.
    pub(crate) async fn take(&self, request: Request<Incoming>, from: IpAddr) -> Response<Body> {
        let (head, mut body) = request.into_parts();
        // Then it sends no body to an answer that refuses it.
        let waits_for_us = head.headers.contains_key(EXPECT);
        let headers = headers::read(&head.headers);
        let delivery_id = headers
            .as_ref()
            .map_or_else(|_| String::new(), Headers::echo);
        let answer = match self.answer(&head.method, headers, &mut body, from).await {
            Ok(answer) => answer,
            Err(answer) => {
                if !waits_for_us && !HOPELESS.contains(&answer.status) {
                    body::discard(&mut body).await;
                }
                answer
            }
        };
        let answer = answer.of(delivery_id);
        metrics::counter!("ck8s_edge_webhooks_total", "code" => answer.code.clone()).increment(1);
        answer.into_response()
    }

    async fn answer(
        &self,
        method: &Method,
        headers: Result<Headers, Answer>,
        body: &mut Incoming,
        from: IpAddr,
    ) -> Result<Answer, Answer> {
        if method != Method::POST {
            return Err(Answer::only("POST"));
        }
        if let Err(wait) = self.rate.take(subscriber(from), Instant::now()) {
            let message = "too many webhooks from this address; send it again later";
            let limited = Answer::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message);
            return Err(Answer {
                retry_after: Some(whole_seconds(wait)),
                ..limited
            });
        }
        let headers = headers?;
        if headers
            .announced
            .is_some_and(|length| length > LARGEST_BODY as u64)
        {
            return Err(refusal(Unread::TooLarge));
        }
        headers.check_content_type()?;
        let read = body::read(body, LARGEST_BODY, &self.budget).await;
        let (bytes, share) = read.map_err(refusal)?;
        let webhook = Webhook {
            provider: "github".to_owned(),
            event: headers.event,
            delivery_id: headers.delivery_id,
            signature: headers.signature,
            body: bytes,
            content_type: headers.content_type,
        };
        let result = self.batches.ingest(webhook, share).await;
        result.map(answer_of).map_err(|away| {
            Answer::unavailable(&format!("{away}; send it again, it is stored once"))
        })
    }
}

fn answer_of(result: IngestResult) -> Answer {
    let status = match result.outcome() {
        IngestOutcome::Accepted => StatusCode::ACCEPTED,
        IngestOutcome::Duplicate => StatusCode::OK,
        IngestOutcome::Unauthenticated => StatusCode::UNAUTHORIZED,
        IngestOutcome::Invalid => StatusCode::BAD_REQUEST,
        IngestOutcome::Unavailable | IngestOutcome::Unspecified => {
            return Answer::unavailable(&result.message);
        }
    };
    Answer {
        code: result.code,
        message: result.message,
        ..Answer::new(status, "", "")
    }
}

fn refusal(unread: Unread) -> Answer {
    match unread {
        Unread::TooLarge => Answer::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BODY_TOO_LARGE",
            "the body is larger than 25 MB",
        ),
        Unread::TooSlow => Answer::new(
            StatusCode::REQUEST_TIMEOUT,
            "BODY_TIMEOUT",
            "the body did not come in time",
        ),
        Unread::Broken => Answer::new(
            StatusCode::BAD_REQUEST,
            "BODY_INCOMPLETE",
            "the body did not come in full",
        ),
        Unread::NoMemory => Answer::unavailable("too many webhooks at once; send it again"),
    }
}
