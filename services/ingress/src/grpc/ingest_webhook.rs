//! The call IngestWebhook.
use ck8s_proto::ingress::v1::{IngestWebhookRequest, IngestWebhookResponse};
use ck8s_rpc::status;
use tonic::Status;

use crate::{convert, pipeline::ingest::Ingest};

/// Bounds the webhooks of one call; the contract sets it.
const MAX_WEBHOOKS: usize = 500;

pub(super) async fn call(
    ingest: &Ingest,
    request: IngestWebhookRequest,
) -> Result<IngestWebhookResponse, Status> {
    if !(1..=MAX_WEBHOOKS).contains(&request.webhooks.len()) {
        return Err(status::invalid("webhooks", "at least one, at most 500"));
    }
    let webhooks = request.webhooks.into_iter().map(convert::webhook).collect();
    let ingest = ingest.clone();
    // A task of its own: what has begun is stored and handled, whether or not the caller still waits.
    let outcomes = tokio::spawn(async move { ingest.ingest(webhooks).await })
        .await
        .map_err(|error| status::internal(&error))?;
    Ok(IngestWebhookResponse {
        results: outcomes.into_iter().map(convert::ingest_result).collect(),
    })
}
