//! The deliveries as people may see them. Each use case has a file of its own.
use ck8s_rpc::project_access::{Access, Scope};
use ck8s_types::{DeliveryId, ProjectId};
use sqlx::PgPool;

use super::reprocess::Reprocessor;
use crate::{domain::delivery::Delivery, error::IngressError, store::deliveries};

/// Bounds the name of a delivery that is looked up: no id of ours or the provider's is longer.
const MAX_NAME_BYTES: usize = 100;
/// Bounds the deliveries with one id at the provider that are looked at. Providers do not use an id twice: more than
/// one is what somebody signed by hand.
const MAX_SAME_KEY: i64 = 10_000;

/// A page of deliveries, newest first.
pub(crate) struct DeliveryPage {
    pub(crate) deliveries: Vec<Delivery>,
    /// The last delivery of the page, if another page follows.
    pub(crate) next: Option<DeliveryId>,
}

/// The deliveries; a clone is the same.
#[derive(Clone)]
pub(crate) struct Deliveries {
    pub(super) pool: PgPool,
    pub(super) reprocessor: Reprocessor,
}

impl Deliveries {
    pub(crate) fn new(pool: PgPool, reprocessor: Reprocessor) -> Self {
        Self { pool, reprocessor }
    }

    /// Finds a delivery by our id or the provider's. A delivery that the caller may not see does not exist for them.
    pub(super) async fn find(&self, access: &Access, name: &str) -> Result<Delivery, IngressError> {
        let not_found = || IngressError::NotFound(name.to_owned());
        let delivery = self.look_up(access, name).await?.ok_or_else(not_found)?;
        check_access(access, &delivery, name)?;
        Ok(delivery)
    }

    /// Reads a delivery by our id; `name` is what the caller calls it.
    pub(super) async fn read(&self, id: DeliveryId, name: &str) -> Result<Delivery, IngressError> {
        let mut conn = self.pool.acquire().await?;
        let delivery = deliveries::get(&mut conn, id).await?;
        delivery.ok_or_else(|| IngressError::NotFound(name.to_owned()))
    }

    /// Reads a delivery by our id or the provider's; of several with one id at the provider, the first that the caller
    /// may see.
    async fn look_up(&self, access: &Access, name: &str) -> Result<Option<Delivery>, IngressError> {
        let mut conn = self.pool.acquire().await?;
        if let Ok(id) = name.parse()
            && let Some(delivery) = deliveries::get(&mut conn, id).await?
        {
            return Ok(Some(delivery));
        }
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains('\0') {
            return Ok(None);
        }
        let found = deliveries::with_key(&mut conn, name, MAX_SAME_KEY).await?;
        let may_see = |project: Option<ProjectId>| match project {
            Some(project) => access.role_in(project).is_some(),
            None => access.scope() == Scope::All,
        };
        match found.into_iter().find(|(_, project)| may_see(*project)) {
            Some((id, _)) => Ok(deliveries::get(&mut conn, id).await?),
            None => Ok(None),
        }
    }
}

/// Checks that the caller may do to this delivery what they want. Only those who see everything see a delivery of no
/// project.
pub(super) fn check_access(
    access: &Access,
    delivery: &Delivery,
    name: &str,
) -> Result<(), IngressError> {
    let not_found = || IngressError::NotFound(name.to_owned());
    match delivery.project_id {
        Some(project) => access
            .project(project, || not_found().into())
            .map_err(|status| IngressError::Refused(Box::new(status))),
        None if access.scope() == Scope::All => Ok(()),
        None => Err(not_found()),
    }
}
