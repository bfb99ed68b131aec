//! The inbox for people: list, get, replay.
use ck8s_db::events::{self, NewEvent};
use ck8s_rpc::access::{Access, Scope};
use ck8s_types::{DeliveryId, RequestId};
use sqlx::PgPool;

use crate::{
    error::IngressError,
    handler::Handler,
    peers::repositories::Repositories,
    rehandle::{body_of, rehandle},
    store::{
        deliveries::{self, Delivery, Filter, State},
        requests,
    },
};

/// The method's name in the table of answered requests.
const REPLAY: &str = "ReplayDelivery";

/// Who has a delivery handled again, and what makes that safe to repeat.
pub(crate) struct Call {
    pub(crate) access: Access,
    pub(crate) actor: String,
    pub(crate) request: RequestId,
}

/// A delivery of no project is there for those alone who see everything.
fn reaches(access: &Access, delivery: Delivery, name: &str) -> Result<Delivery, IngressError> {
    let not_found = || IngressError::NotFound(name.to_owned());
    match delivery.project_id {
        Some(project) => access
            .project(project, || not_found().into())
            .map_err(|status| IngressError::Refused(Box::new(status)))?,
        None if access.scope() == Scope::All => {}
        None => return Err(not_found()),
    }
    Ok(delivery)
}

/// The inbox; a clone is the same.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub(crate) pool: PgPool,
    pub(crate) handler: Handler,
    pub(crate) repositories: Repositories,
}

impl Inbox {
    /// A page, newest first.
    pub(crate) async fn list(
        &self,
        filter: Filter,
        before: Option<DeliveryId>,
        limit: i64,
    ) -> Result<Vec<Delivery>, IngressError> {
        let mut conn = self.pool.acquire().await?;
        Ok(deliveries::page(&mut conn, filter, before, limit).await?)
    }

    /// By our id or the provider's, with the body as it came.
    pub(crate) async fn get(
        &self,
        access: &Access,
        name: &str,
    ) -> Result<(Delivery, Vec<u8>), IngressError> {
        let delivery = self.reached(access, name).await?;
        let mut conn = self.pool.acquire().await?;
        let payload = deliveries::payload(&mut conn, delivery.id).await?;
        let payload = payload.ok_or_else(|| IngressError::NotFound(name.to_owned()))?;
        let body = body_of(&payload).map_err(|cause| IngressError::Corrupt(delivery.id, cause))?;
        Ok((delivery, body))
    }

    /// Handles again what was ignored or failed. What made a run, stays.
    pub(crate) async fn replay(&self, call: Call, name: &str) -> Result<Delivery, IngressError> {
        let Call {
            access,
            actor,
            request,
        } = call;
        let delivery = self.reached(&access, name).await?;
        let mut conn = self.pool.acquire().await?;
        if let Some(id) = requests::answered(&mut conn, request, REPLAY).await? {
            let id = id.try_into().map(uuid::Uuid::from_bytes);
            let id = id.map_err(|_| IngressError::NotFound(name.to_owned()))?;
            let answered = self.by_id(id.into(), name).await?;
            return reaches(&access, answered, name);
        }
        drop(conn);
        if !self.reopen(request, &delivery, actor).await? {
            return self.by_id(delivery.id, name).await;
        }
        let waiting = {
            let mut conn = self.pool.acquire().await?;
            deliveries::waiting(&mut conn, &[delivery.id], 1).await?
        };
        rehandle(&self.handler, &self.repositories, waiting).await?;
        self.by_id(delivery.id, name).await
    }

    /// Takes the request and opens the delivery, in one transaction. False: there is nothing to do.
    async fn reopen(
        &self,
        request: RequestId,
        delivery: &Delivery,
        actor: String,
    ) -> Result<bool, IngressError> {
        let mut tx = self.pool.begin().await?;
        if !requests::take(&mut tx, request, REPLAY, delivery.id.uuid().as_bytes()).await? {
            return Ok(false);
        }
        let opened = deliveries::reopen(&mut tx, delivery.id).await?;
        if opened {
            let told = NewEvent {
                kind: "delivery.replayed",
                project_id: delivery.project_id,
                run_id: None,
                actor,
                message: format!("it was {}", delivery.state),
                data: Some(serde_json::json!({"delivery_id": delivery.id.to_string()})),
            };
            events::record(&mut tx, &[told]).await?;
        }
        tx.commit().await?;
        Ok(opened || delivery.state == State::Received)
    }

    /// A delivery, if the caller may do in its project what they want to. What they may not see, is not there.
    async fn reached(&self, access: &Access, name: &str) -> Result<Delivery, IngressError> {
        reaches(access, self.find(name).await?, name)
    }

    async fn find(&self, name: &str) -> Result<Delivery, IngressError> {
        let mut conn = self.pool.acquire().await?;
        if let Ok(id) = name.parse()
            && let Some(delivery) = deliveries::get(&mut conn, id).await?
        {
            return Ok(delivery);
        }
        let not_found = || IngressError::NotFound(name.to_owned());
        if name.is_empty() || name.len() > 100 || name.contains('\0') {
            return Err(not_found());
        }
        let id = deliveries::id_of_key(&mut conn, name)
            .await?
            .ok_or_else(not_found)?;
        deliveries::get(&mut conn, id).await?.ok_or_else(not_found)
    }

    async fn by_id(&self, id: DeliveryId, name: &str) -> Result<Delivery, IngressError> {
        let mut conn = self.pool.acquire().await?;
        let delivery = deliveries::get(&mut conn, id).await?;
        delivery.ok_or_else(|| IngressError::NotFound(name.to_owned()))
    }
}
