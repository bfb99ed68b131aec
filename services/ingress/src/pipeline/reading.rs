//! What the pipeline's first steps make of a webhook, without its signature, a database or another service: the
//! entrance for whoever wants to see what bytes from outside are taken for, above all the fuzzers (tests/fuzz).
use ck8s_proto::{ingress::v1 as pb, repositories::v1::ResolvedRepository, runs::v1::RunSpec};
use ck8s_rpc::convert::spec_to_pb;

use super::envelope;
use crate::{
    convert,
    domain::{matching, payload::PayloadBody},
};

/// A webhook as it was read.
#[derive(Clone, Debug)]
pub struct WebhookReading {
    /// GitHub's id of the repository, read before the signature is checked.
    pub envelope_repository_id: Option<u64>,
    /// The payload, read afterwards; none: the body is not a payload.
    pub payload: Option<PayloadReading>,
    /// Whether the signature has the right form.
    pub has_signature: bool,
}

/// A payload as it was read.
#[derive(Clone, Debug)]
pub struct PayloadReading {
    /// GitHub's id of the repository.
    pub repository_id: Option<u64>,
    /// The elements of its longest list.
    pub longest_list: usize,
    /// What it asks to run, a spec for each trigger that matches.
    pub runs: Vec<RunSpec>,
    /// Why nothing runs, or which triggers match and cannot run.
    pub reason: String,
}

/// Reads a webhook as the pipeline does, but for the check of its signature, and matches it against this repository's
/// triggers.
///
/// # Errors
/// The code of the rejection, or `REPOSITORY_INVALID`.
pub fn read_webhook(
    webhook: pb::Webhook,
    repository: ResolvedRepository,
) -> Result<WebhookReading, &'static str> {
    let webhook = convert::webhook(webhook);
    let (_, repository) = convert::repository(repository).map_err(|_| "REPOSITORY_INVALID")?;
    let envelope = envelope::read_now(&webhook).map_err(|rejection| rejection.code())?;
    let body = PayloadBody::new(&webhook.body[..]);
    let payload = body.payload().ok().map(|payload| {
        let requests = matching::run_requests(Some(&repository), &webhook.event, &payload, None);
        let runs = requests.runs.into_iter();
        PayloadReading {
            repository_id: payload.repository_id(),
            longest_list: payload.longest_list(),
            runs: runs.map(|request| spec_to_pb(request.run.spec)).collect(),
            reason: requests.reason,
        }
    });
    Ok(WebhookReading {
        envelope_repository_id: envelope.repository_id,
        payload,
        has_signature: envelope.signature.is_some(),
    })
}
