//! Sends webhooks to ingress in batches: whatever waits when a sender is free goes in one call. There is no timer.
use std::{sync::Arc, time::Duration};

use ck8s_batch::{Batches, split_by_size};
use ck8s_proto::ingress::v1::{
    IngestResult, IngestWebhookRequest, Webhook, ingress_service_client::IngressServiceClient,
};
use ck8s_rpc::mesh::Channel;
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::memory_budget::MemoryShare;

/// How many calls are under way at once: while one waits for its commit, others are verified and fill up.
const SENDERS: usize = 3;
/// Bounds the webhooks that wait for a sender; more wait on their connections.
const QUEUE_CAPACITY: usize = 1_024;
/// Bounds the webhooks of one call.
const MAX_BATCH_WEBHOOKS: usize = 200;
/// Bounds the bytes of one call: well below the largest message, except for a single large body.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;
/// From this size on, one call is under way at a time: both ends hold copies of its bodies.
const LARGE_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Bounds a call. What it stores later is stored all the same: a client that sends it again gets `DUPLICATE`.
const INGEST_TIMEOUT: Duration = Duration::from_secs(9);

/// It is not known whether the webhook was stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("ingress cannot be reached")]
pub(super) struct IngressUnavailable;

/// A webhook on its way to ingress.
struct QueuedWebhook {
    webhook: Webhook,
    share: MemoryShare,
    reply: oneshot::Sender<IngestResult>,
}

/// The client of ingress; a clone is the same client. Its senders end when the last one is gone.
#[derive(Clone)]
pub(crate) struct IngressClient {
    queue: mpsc::Sender<QueuedWebhook>,
}

impl IngressClient {
    /// Starts the senders.
    pub(crate) fn start(channel: Channel) -> Self {
        let client = IngressServiceClient::new(channel.with_timeout(INGEST_TIMEOUT));
        let (queue, webhooks) = mpsc::channel(QUEUE_CAPACITY);
        let large_batches = Arc::new(Semaphore::new(1));
        for batches in Batches::new(webhooks, MAX_BATCH_WEBHOOKS).workers(SENDERS) {
            tokio::spawn(send_batches(client.clone(), batches, large_batches.clone()));
        }
        Self { queue }
    }

    /// Sends a webhook and waits for its outcome.
    pub(super) async fn ingest(
        &self,
        webhook: Webhook,
        share: MemoryShare,
    ) -> Result<IngestResult, IngressUnavailable> {
        let (reply, result) = oneshot::channel();
        let queued = QueuedWebhook {
            webhook,
            share,
            reply,
        };
        let ingested = async {
            let sent = self.queue.send(queued).await;
            sent.map_err(|_| IngressUnavailable)?;
            result.await.map_err(|_| IngressUnavailable)
        };
        tokio::time::timeout(INGEST_TIMEOUT, ingested)
            .await
            .unwrap_or(Err(IngressUnavailable))
    }
}

async fn send_batches(
    client: IngressServiceClient<Channel>,
    mut batches: Batches<QueuedWebhook>,
    large_batches: Arc<Semaphore>,
) {
    let size = |queued: &QueuedWebhook| queued.webhook.body.len();
    while let Some(batch) = batches.next().await {
        for part in split_by_size(batch, MAX_BATCH_BYTES, size) {
            let is_large = part.iter().map(size).sum::<usize>() >= LARGE_BATCH_BYTES;
            // The semaphore is never closed.
            let _turn = match is_large {
                true => large_batches.acquire().await.ok(),
                false => None,
            };
            send(client.clone(), part).await;
        }
    }
}

async fn send(mut client: IngressServiceClient<Channel>, batch: Vec<QueuedWebhook>) {
    let mut webhooks = Vec::with_capacity(batch.len());
    let mut replies = Vec::with_capacity(batch.len());
    // Held until the call is over: the bodies are in memory until then.
    let mut shares = Vec::with_capacity(batch.len());
    for queued in batch {
        webhooks.push(queued.webhook);
        replies.push(queued.reply);
        shares.push(queued.share);
    }
    let request = IngestWebhookRequest { webhooks };
    match client.ingest_webhook(request).await {
        Ok(response) => {
            // If the answer has another length, the rest gets no result and is answered as unavailable.
            for (reply, result) in replies.into_iter().zip(response.into_inner().results) {
                // The client may be gone.
                let _ = reply.send(result);
            }
        }
        Err(status) => {
            tracing::warn!(code = ?status.code(), webhooks = replies.len(), "ingress did not take webhooks");
        }
    }
}
