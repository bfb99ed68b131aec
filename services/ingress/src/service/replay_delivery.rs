//! Replays a delivery: one that was ignored or failed is processed again, one that created a run is not.
use ck8s_db::events::{self, NewEvent};
use ck8s_rpc::access::Access;
use ck8s_types::RequestId;

use super::deliveries::{Deliveries, check_access};
use crate::{
    domain::delivery::{Delivery, DeliveryState},
    error::IngressError,
    store::{requests, waiting},
};

/// The method's name among the answered requests.
const METHOD: &str = "ReplayDelivery";

/// A person's request to replay a delivery.
pub(crate) struct ReplayRequest {
    /// Our id or the provider's.
    pub(crate) delivery: String,
    pub(crate) access: Access,
    /// Who asks, for the audit trail.
    pub(crate) actor: String,
    /// Makes the request safe to repeat.
    pub(crate) request_id: RequestId,
}

/// Whether a replay has something to process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reopened {
    /// The delivery waits, so that it can be processed.
    Waits,
    /// The request was answered before, or the delivery has its run.
    Nothing,
}

impl Deliveries {
    /// Replays a delivery and returns it as it is afterwards. A repeated request is answered and does nothing.
    pub(crate) async fn replay(&self, request: ReplayRequest) -> Result<Delivery, IngressError> {
        let name = &request.delivery;
        let delivery = self.find(&request.access, name).await?;
        if let Some(answered) = self.answered(&request).await? {
            return Ok(answered);
        }
        if self.reopen(&request, &delivery).await? == Reopened::Waits {
            let waiting = {
                let mut conn = self.pool.acquire().await?;
                waiting::load(&mut conn, &[delivery.id], 1).await?
            };
            self.reprocessor.reprocess(waiting).await?;
        }
        self.read(delivery.id, name).await
    }

    /// Returns the delivery that this request was answered with before.
    async fn answered(&self, request: &ReplayRequest) -> Result<Option<Delivery>, IngressError> {
        let answer = {
            let mut conn = self.pool.acquire().await?;
            requests::answered(&mut conn, request.request_id, METHOD).await?
        };
        let Some(answer) = answer else {
            return Ok(None);
        };
        let name = &request.delivery;
        let id = answer.try_into().map(uuid::Uuid::from_bytes);
        let id = id.map_err(|_| IngressError::NotFound(name.to_owned()))?;
        let delivery = self.read(id.into(), name).await?;
        check_access(&request.access, &delivery, name)?;
        Ok(Some(delivery))
    }

    /// Takes the request id and lets the delivery wait, in one transaction.
    async fn reopen(
        &self,
        request: &ReplayRequest,
        delivery: &Delivery,
    ) -> Result<Reopened, IngressError> {
        let mut tx = self.pool.begin().await?;
        let answer = delivery.id.uuid();
        if !requests::take(&mut tx, request.request_id, METHOD, answer.as_bytes()).await? {
            return Ok(Reopened::Nothing);
        }
        let was_reopened = waiting::reopen(&mut tx, delivery.id).await?;
        if was_reopened {
            let replayed = NewEvent {
                kind: "delivery.replayed",
                project_id: delivery.project_id,
                run_id: None,
                actor: request.actor.clone(),
                message: format!("it was {}", delivery.state),
                data: Some(serde_json::json!({"delivery_id": delivery.id.to_string()})),
            };
            events::record(&mut tx, &[replayed]).await?;
        }
        tx.commit().await?;
        Ok(
            match was_reopened || delivery.state == DeliveryState::Received {
                true => Reopened::Waits,
                false => Reopened::Nothing,
            },
        )
    }
}
