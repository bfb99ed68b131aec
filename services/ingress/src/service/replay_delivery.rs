//! Replays a delivery: one that was ignored or failed is processed again, one that created a run is not.
use ck8s_db::{
    events::{self, FlowEvent},
    request_ids::{Claim, RequestKey},
};
use ck8s_rpc::project_access::Access;
use ck8s_types::{DeliveryId, EventKind};
use uuid::Uuid;

use super::deliveries::{Deliveries, check_access};
use crate::{
    domain::delivery::{Delivery, DeliveryState},
    error::IngressError,
    store::{request_ids::REQUESTS, waiting},
};

/// A person's request to replay a delivery.
pub(crate) struct ReplayRequest {
    /// Our id or the provider's.
    pub(crate) delivery: String,
    pub(crate) access: Access,
    /// Who asks, for the audit trail.
    pub(crate) actor: String,
    /// Makes the request safe to repeat.
    pub(crate) key: RequestKey,
}

/// What a request to replay leads to.
enum Replay {
    /// The delivery waits, so that it can be processed.
    Waits,
    /// The delivery has its run: there is nothing to process.
    HasRun,
    /// The same request was answered before with this delivery.
    Answered(DeliveryId),
}

impl Deliveries {
    /// Replays a delivery and returns it as it is afterwards. A repeated request is answered and does nothing.
    pub(crate) async fn replay(&self, request: ReplayRequest) -> Result<Delivery, IngressError> {
        let name = &request.delivery;
        let delivery = self.find(&request.access, name).await?;
        match self.reopen(&request, &delivery).await? {
            Replay::Waits => {
                let waiting = {
                    let mut conn = self.pool.acquire().await?;
                    waiting::load(&mut conn, &[delivery.id], 1).await?
                };
                self.reprocessor.reprocess(waiting).await?;
            }
            Replay::HasRun => {}
            Replay::Answered(id) => {
                let answered = self.read(id, name).await?;
                check_access(&request.access, &answered, name)?;
                return Ok(answered);
            }
        }
        self.read(delivery.id, name).await
    }

    /// Claims the request id and lets the delivery wait, in one transaction.
    async fn reopen(
        &self,
        request: &ReplayRequest,
        delivery: &Delivery,
    ) -> Result<Replay, IngressError> {
        let mut tx = self.pool.begin().await?;
        if let Claim::Answered(response) = REQUESTS.claim(&mut tx, &request.key).await? {
            let id = Uuid::from_slice(&response);
            let id = id.map_err(|_| IngressError::NotFound(request.delivery.clone()))?;
            return Ok(Replay::Answered(id.into()));
        }
        let was_reopened = waiting::reopen(&mut tx, delivery.id).await?;
        if was_reopened {
            let replayed = FlowEvent {
                kind: EventKind::DeliveryReplayed,
                project_id: delivery.project_id,
                run_id: None,
                actor: request.actor.clone(),
                message: format!("it was {}", delivery.state),
                data: Some(serde_json::json!({"delivery_id": delivery.id.to_string()})),
            };
            events::record(&mut tx, &[replayed]).await?;
        }
        let response = delivery.id.uuid();
        REQUESTS
            .answer(&mut tx, &request.key, response.as_bytes())
            .await?;
        tx.commit().await?;
        Ok(
            if was_reopened || delivery.state == DeliveryState::Received {
                Replay::Waits
            } else {
                Replay::HasRun
            },
        )
    }
}
