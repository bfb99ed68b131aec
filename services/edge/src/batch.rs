//! Webhooks on their way to ingress: whatever waits when a sender is free goes in one call. No timer.
use std::{sync::Arc, time::Duration};

use ck8s_proto::ingress::v1::{
    IngestResult, IngestWebhookRequest, Webhook, ingress_service_client::IngressServiceClient,
};
use ck8s_rpc::mesh::Channel;
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, oneshot};
use tonic::Request;

use crate::budget::Share;

/// Calls under way at once: while one waits for its commit, others are verified and fill up.
const SENDERS: usize = 3;
/// What may wait for a sender; more waits on its connection.
const QUEUE: usize = 1_024;
/// Webhooks of one call.
const MOST: usize = 200;
/// Bytes of one call: well below the largest message, but for a single large body.
const LARGEST: usize = 16 * 1024 * 1024;
/// A call that takes longer is given up. What it stored, is stored: who sends again is told so.
const DEADLINE: Duration = Duration::from_secs(9);

/// It is not known whether the webhook was stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("ingress cannot be reached")]
pub(crate) struct Away;

struct Item {
    webhook: Webhook,
    share: Share,
    answer: oneshot::Sender<IngestResult>,
}

/// Leads to ingress; a clone is the same. The senders end when the last one is gone.
#[derive(Clone)]
pub(crate) struct Batches {
    queue: mpsc::Sender<Item>,
}

impl Batches {
    /// Starts the senders.
    pub(crate) fn start(mesh: Channel) -> Self {
        let client = IngressServiceClient::new(mesh);
        let (queue, items) = mpsc::channel(QUEUE);
        let items = Arc::new(Mutex::new(items));
        for _ in 0..SENDERS {
            tokio::spawn(send(client.clone(), items.clone()));
        }
        Self { queue }
    }

    /// Hands one over and waits for what became of it.
    pub(crate) async fn ingest(
        &self,
        webhook: Webhook,
        share: Share,
    ) -> Result<IngestResult, Away> {
        let (answer, told) = oneshot::channel();
        let handed = async {
            self.queue
                .send(Item {
                    webhook,
                    share,
                    answer,
                })
                .await
                .map_err(|_| Away)?;
            told.await.map_err(|_| Away)
        };
        tokio::time::timeout(DEADLINE, handed)
            .await
            .unwrap_or(Err(Away))
    }
}

async fn send(client: IngressServiceClient<Channel>, queue: Arc<Mutex<mpsc::Receiver<Item>>>) {
    let mut items = Vec::with_capacity(MOST);
    loop {
        if queue.lock().await.recv_many(&mut items, MOST).await == 0 {
            return;
        }
        while !items.is_empty() {
            call(client.clone(), first_of(&mut items)).await;
        }
    }
}

/// As many from the front as fit one call; at least one.
fn first_of(items: &mut Vec<Item>) -> Vec<Item> {
    let mut size = 0;
    let fit = items.iter().take_while(|item| {
        size += item.webhook.body.len();
        size <= LARGEST
    });
    let count = fit.count().clamp(1, items.len());
    let rest = items.split_off(count);
    std::mem::replace(items, rest)
}

async fn call(mut client: IngressServiceClient<Channel>, items: Vec<Item>) {
    let mut webhooks = Vec::with_capacity(items.len());
    let mut answers = Vec::with_capacity(items.len());
    // Held until the call is over: the bodies are in memory until then.
    let mut shares = Vec::with_capacity(items.len());
    for item in items {
        webhooks.push(item.webhook);
        answers.push(item.answer);
        shares.push(item.share);
    }
    let mut request = Request::new(IngestWebhookRequest { webhooks });
    request.set_timeout(DEADLINE);
    let call = tokio::time::timeout(DEADLINE, client.ingest_webhook(request));
    match call.await {
        Ok(Ok(response)) => {
            // An answer of another length leaves the rest without one: they are told that it is not known.
            for (answer, result) in answers.into_iter().zip(response.into_inner().results) {
                // Who asked may be gone.
                let _ = answer.send(result);
            }
        }
        Ok(Err(status)) => {
            tracing::warn!(code = ?status.code(), webhooks = answers.len(), "ingress did not take webhooks");
        }
        Err(_) => tracing::warn!(webhooks = answers.len(), "ingress did not answer in time"),
    }
}
