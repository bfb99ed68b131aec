//! Notes which missing deliveries have arrived, and gives up those that nobody can deliver any more.
use ck8s_types::RepositoryId;
use time::OffsetDateTime;

use super::{Recovery, events};
use crate::{
    domain::missing_delivery::{EndedSearch, MissingState, OpenDelivery, SearchEnd},
    error::IngressError,
    metrics,
    store::{delivery_keys, missing_deliveries},
};

/// Bounds the rows that are looked at at once.
const PAGE_ROWS: i64 = 1_000;

/// Searches of one repository that are over.
#[derive(Default)]
struct Ended {
    arrived: Vec<EndedSearch>,
    given_up: Vec<EndedSearch>,
}

impl Recovery {
    /// Ends the search for what has arrived and for what is given up. Replicas that do this at the same time count
    /// nothing twice.
    pub(super) async fn settle(&self, now: OffsetDateTime) -> Result<(), IngressError> {
        let mut after: Option<OpenDelivery> = None;
        let mut open = [0_usize; 2];
        loop {
            let page = {
                let mut conn = self.pool.acquire().await?;
                missing_deliveries::open(&mut conn, after.as_ref(), PAGE_ROWS).await?
            };
            for of_one in page.chunk_by(|one, next| one.repository_id == next.repository_id) {
                let ended = self.ended(of_one, now, &mut open).await?;
                if !(ended.arrived.is_empty() && ended.given_up.is_empty()) {
                    self.end(of_one[0].repository_id, ended, now).await?;
                }
            }
            let Some(last) = page.into_iter().next_back() else {
                metrics::deliveries_missing(open[0], open[1]);
                return Ok(());
            };
            after = Some(last);
        }
    }

    /// Returns those of these, all of one repository, whose search is over. Counts the others: the missing, and those
    /// that were asked for.
    async fn ended(
        &self,
        deliveries: &[OpenDelivery],
        now: OffsetDateTime,
        open: &mut [usize; 2],
    ) -> Result<Ended, IngressError> {
        let mut ended = Ended::default();
        let Some(first) = deliveries.first() else {
            return Ok(ended);
        };
        let keys: Vec<&str> = deliveries.iter().map(|d| d.delivery_key.as_str()).collect();
        let arrivals = {
            let mut conn = self.pool.acquire().await?;
            delivery_keys::arrivals(&mut conn, first.repository_id, &keys).await?
        };
        for delivery in deliveries {
            let arrival = arrivals.get(&delivery.delivery_key).copied();
            match delivery.search_end(arrival, now) {
                Some(end) => ended.push(delivery, end),
                None => open[usize::from(delivery.state == MissingState::AskedAgain)] += 1,
            }
        }
        Ok(ended)
    }

    /// Ends these searches, and tells people.
    async fn end(
        &self,
        repository: RepositoryId,
        ended: Ended,
        now: OffsetDateTime,
    ) -> Result<(), IngressError> {
        let about = self.about(repository).await?;
        let mut tx = self.pool.begin().await?;
        let (state, over) = (MissingState::Arrived, &ended.arrived);
        let arrived = missing_deliveries::end(&mut tx, repository, state, over, now).await?;
        let (state, over) = (MissingState::GivenUp, &ended.given_up);
        let given_up = missing_deliveries::end(&mut tx, repository, state, over, now).await?;
        let keys: Vec<&str> = arrived.iter().map(|a| a.delivery_key.as_str()).collect();
        // The way here is free again: what did not get through before does not wait any longer.
        let waiting = [MissingState::Missing, MissingState::AskedAgain];
        missing_deliveries::hurry(&mut tx, repository, &keys, &waiting, now).await?;
        let events = [
            events::recovered(&about, &arrived),
            events::given_up(&about, &given_up),
        ]
        .concat();
        ck8s_db::events::record(&mut tx, &events).await?;
        tx.commit().await?;
        metrics::deliveries_recovered(arrived.len());
        metrics::deliveries_given_up(given_up.len());
        if !arrived.is_empty() {
            tracing::info!(repository.id = %repository, count = arrived.len(), "missing deliveries have arrived");
        }
        for one in &given_up {
            tracing::warn!(repository.id = %repository, delivery = one.delivery_key, reason = one.reason,
                "a missing delivery is given up");
        }
        Ok(())
    }
}

impl Ended {
    fn push(&mut self, delivery: &OpenDelivery, end: SearchEnd) {
        let ended = |reason| EndedSearch {
            delivery_key: delivery.delivery_key.clone(),
            reason,
            attempted_at: delivery.attempted_at,
        };
        match end {
            SearchEnd::Arrived => self.arrived.push(ended(delivery.reason.clone())),
            SearchEnd::GivenUp(reason) => self.given_up.push(ended(reason)),
        }
    }
}
