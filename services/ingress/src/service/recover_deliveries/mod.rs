//! Recovers deliveries that a hook made and that never arrived, or failed here: finds them in the provider's list,
//! keeps each as a row, has the provider deliver it again until it is here, and tells people.
mod events;
mod find;
mod redeliver;
mod settle;
#[cfg(test)]
mod tests;

use ck8s_db::Lock;
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::{
    error::IngressError, peers::hook_deliveries::HookDeliveries, store::missing_deliveries,
};

/// The lock that lets one replica at a time recover.
const LOCK: &str = "ingress.recovery";

/// Whether a round reads the providers' lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listing {
    /// It does, and so finds what is newly missing.
    Read,
    /// It goes on with what is known to be missing.
    Skip,
}

/// How one round ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecoveryOutcome {
    /// Another replica does it.
    NotOurs,
    /// Every hook was looked at, where lists were read.
    Complete,
    /// Some repository could not be looked at.
    Partial,
}

/// Recovers deliveries; a clone is the same.
#[derive(Clone)]
pub(crate) struct Recovery {
    pool: PgPool,
    hooks: HookDeliveries,
}

impl Recovery {
    pub(crate) fn new(pool: PgPool, hooks: HookDeliveries) -> Self {
        Self { pool, hooks }
    }

    /// Notes what has arrived since the last round, finds what is missing, and asks for what is due at `now`. Any
    /// number of replicas may call this: one at a time reads lists and asks.
    pub(crate) async fn round(
        &self,
        now: OffsetDateTime,
        listing: Listing,
    ) -> Result<RecoveryOutcome, IngressError> {
        self.settle(now).await?;
        if listing == Listing::Skip && !self.any_due(now).await? {
            return Ok(RecoveryOutcome::Complete);
        }
        let Some(lock) = Lock::take(&self.pool, LOCK).await? else {
            return Ok(RecoveryOutcome::NotOurs);
        };
        let outcome = self.find_and_ask(now, listing).await;
        lock.release().await;
        self.settle(now).await?;
        outcome
    }

    async fn find_and_ask(
        &self,
        now: OffsetDateTime,
        listing: Listing,
    ) -> Result<RecoveryOutcome, IngressError> {
        let found = match listing {
            Listing::Read => self.find(now).await,
            Listing::Skip => Ok(RecoveryOutcome::Complete),
        };
        // What is known to be missing is asked for even if the lists could not be read.
        self.ask(now).await?;
        found
    }

    async fn any_due(&self, now: OffsetDateTime) -> Result<bool, IngressError> {
        let mut conn = self.pool.acquire().await?;
        Ok(missing_deliveries::is_any_due(&mut conn, now).await?)
    }
}
