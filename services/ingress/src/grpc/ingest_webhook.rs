//! IngestWebhook.
use ck8s_proto::ingress::v1::{IngestWebhookRequest, IngestWebhookResponse};
use ck8s_rpc::status;
use tonic::Status;

use crate::{convert, ingest::Ingest};

/// What the contract says.
const MOST: usize = 500;

pub(super) async fn call(
    ingest: &Ingest,
    request: IngestWebhookRequest,
) -> Result<IngestWebhookResponse, Status> {
    if !(1..=MOST).contains(&request.webhooks.len()) {
        return Err(status::invalid("webhooks", "at least one, at most 500"));
    }
    let ingest = ingest.clone();
    // In a task of its own: what has begun is stored and handled, whether or not the caller still waits.
    let outcomes = tokio::spawn(async move { ingest.ingest(request.webhooks).await })
        .await
        .map_err(|error| status::internal(&error))?;
    Ok(IngestWebhookResponse {
        results: outcomes.into_iter().map(convert::result).collect(),
    })
}
