//! The way of webhooks into the database: parse, resolve the repository, prepare, store. Many at once; none hinders
//! another.
use std::{collections::HashMap, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use super::{
    envelope::{self, Envelope},
    prepare::{PreparedWebhook, prepare},
    verify::Verifier,
    writer::WriteRequest,
};
use crate::{
    domain::{
        delivery_notice::DeliveryNotice,
        rejection::Rejection,
        repository::Claimants,
        webhook::{Webhook, WebhookOutcome},
    },
    metrics,
    peers::repositories::RepositoryCache,
};

/// How many webhooks are worked on before others get their turn on this thread: a few hundred microseconds.
const WEBHOOKS_PER_TURN: usize = 8;

/// The claimants of a repository, or the rejection where they cannot be found out now.
type Resolved = Result<Arc<Claimants>, Rejection>;

/// The entrance of webhooks; a clone is the same.
#[derive(Clone)]
pub(crate) struct Ingest {
    repositories: RepositoryCache,
    verifier: Verifier,
    writer: mpsc::Sender<WriteRequest>,
    notices: mpsc::Sender<DeliveryNotice>,
}

/// The outcome of a webhook: known now, or after the commit.
enum Reply {
    Now(WebhookOutcome),
    Later(oneshot::Receiver<WebhookOutcome>),
}

impl Reply {
    async fn outcome(self) -> WebhookOutcome {
        match self {
            Self::Now(outcome) => outcome,
            Self::Later(outcome) => outcome
                .await
                .unwrap_or(WebhookOutcome::Rejected(Rejection::Unavailable)),
        }
    }
}

impl Ingest {
    pub(crate) fn new(
        repositories: RepositoryCache,
        verifier: Verifier,
        writer: mpsc::Sender<WriteRequest>,
        notices: mpsc::Sender<DeliveryNotice>,
    ) -> Self {
        Self {
            repositories,
            verifier,
            writer,
            notices,
        }
    }

    /// Stores webhooks and returns the outcome of each, in order, after the commit.
    pub(crate) async fn ingest(&self, webhooks: Vec<Webhook>) -> Vec<WebhookOutcome> {
        let mut envelopes = Vec::with_capacity(webhooks.len());
        for (nr, webhook) in webhooks.iter().enumerate() {
            envelopes.push(envelope::read(webhook).await);
            take_turns(nr).await;
        }
        let repositories = self.resolve(&envelopes).await;
        let mut replies = Vec::with_capacity(webhooks.len());
        for (nr, (webhook, envelope)) in webhooks.iter().zip(envelopes).enumerate() {
            let prepared = self.prepare(webhook, envelope, &repositories).await;
            replies.push(self.store(prepared).await);
            take_turns(nr).await;
        }
        let mut outcomes = Vec::with_capacity(webhooks.len());
        for (reply, notice) in replies {
            let outcome = reply.outcome().await;
            if let Some(notice) = notice.filter(|_| outcome == WebhookOutcome::Accepted) {
                // When too many notices wait, the repositories service finds out without this one.
                let _ = self.notices.try_send(notice);
            }
            outcomes.push(outcome);
        }
        metrics::webhooks_ingested(&outcomes);
        outcomes
    }

    async fn prepare(
        &self,
        webhook: &Webhook,
        envelope: Result<Envelope, Rejection>,
        repositories: &HashMap<u64, Resolved>,
    ) -> Result<PreparedWebhook, Rejection> {
        let envelope = envelope?;
        let claimants = match envelope.repository_id.and_then(|id| repositories.get(&id)) {
            Some(resolved) => resolved.clone()?,
            None => Arc::default(),
        };
        prepare(&self.verifier, webhook, envelope, claimants).await
    }

    /// Returns the claimants of the repositories that these webhooks name.
    async fn resolve(&self, envelopes: &[Result<Envelope, Rejection>]) -> HashMap<u64, Resolved> {
        let mut ids: Vec<u64> = envelopes
            .iter()
            .filter_map(|envelope| envelope.as_ref().ok()?.repository_id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let resolved = self.repositories.resolve(&ids).await;
        let resolved = resolved.into_iter().map(|claimants| {
            claimants.map_err(|cause| {
                tracing::warn!(%cause, "webhooks cannot be verified now");
                Rejection::Unavailable
            })
        });
        ids.into_iter().zip(resolved).collect()
    }

    async fn store(
        &self,
        prepared: Result<PreparedWebhook, Rejection>,
    ) -> (Reply, Option<DeliveryNotice>) {
        let rejected = |rejection| (Reply::Now(WebhookOutcome::Rejected(rejection)), None);
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(rejection) => return rejected(rejection),
        };
        let (reply, outcome) = oneshot::channel();
        let request = WriteRequest {
            delivery: prepared.delivery,
            reply,
        };
        match self.writer.send(request).await {
            Ok(()) => (Reply::Later(outcome), prepared.notice),
            Err(_) => rejected(Rejection::Unavailable),
        }
    }
}

async fn take_turns(nr: usize) {
    if nr % WEBHOOKS_PER_TURN == WEBHOOKS_PER_TURN - 1 {
        tokio::task::yield_now().await;
    }
}
