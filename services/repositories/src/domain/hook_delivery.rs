//! The deliveries that a hook tried to make, and which of them came.
use std::collections::HashMap;

use ck8s_provider::DeliveryAttempt;
use ck8s_types::RepositoryId;
use time::OffsetDateTime;

/// A delivery that came.
pub(crate) struct ReceivedDelivery {
    pub repository: RepositoryId,
    pub event: String,
    pub branch: String,
    pub signature: SignedWith,
}

/// Which webhook secret a delivery was signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignedWith {
    Current,
    Previous,
}

/// A delivery that a hook tried to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookDelivery {
    pub delivery_id: String,
    /// The latest attempt, by the provider's id.
    pub attempt_id: String,
    pub event: String,
    /// When the latest attempt was made.
    pub at: OffsetDateTime,
    /// Whether any attempt came through.
    pub succeeded: bool,
    /// The result of the latest attempt, in the provider's words.
    pub status: String,
}

/// An attempt that the provider does not repeat now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedRedelivery {
    pub attempt_id: String,
    pub reason: String,
}

/// The deliveries that one repository's hook tried to make.
pub(crate) struct HookDeliveries {
    pub repository: RepositoryId,
    /// None: they could not be listed.
    pub listed: Option<ListedDeliveries>,
}

/// What the provider listed.
pub(crate) struct ListedDeliveries {
    /// Every delivery up to then is on the list.
    pub until: OffsetDateTime,
    /// Oldest first.
    pub deliveries: Vec<HookDelivery>,
}

/// Joins the attempts of each delivery, newest first: its latest attempt counts (of those within one second the one
/// that is listed first), and one success is enough. Returns the oldest first.
pub(crate) fn by_delivery(
    attempts: impl IntoIterator<Item = DeliveryAttempt>,
) -> Vec<HookDelivery> {
    let mut deliveries: HashMap<String, HookDelivery> = HashMap::new();
    for attempt in attempts {
        let delivery = deliveries
            .entry(attempt.delivery_id.clone())
            .or_insert_with(|| HookDelivery {
                delivery_id: attempt.delivery_id,
                attempt_id: String::new(),
                event: String::new(),
                at: OffsetDateTime::UNIX_EPOCH,
                succeeded: false,
                status: String::new(),
            });
        delivery.succeeded |= attempt.succeeded;
        if attempt.at > delivery.at {
            delivery.at = attempt.at;
            delivery.attempt_id = attempt.id;
            delivery.event = attempt.event;
            delivery.status = attempt.status;
        }
    }
    let mut deliveries: Vec<_> = deliveries.into_values().collect();
    deliveries.sort_by_key(|delivery| delivery.at);
    deliveries
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn the_attempts_of_a_delivery_are_one() {
        let now = OffsetDateTime::now_utc();
        let attempt = |id: &str, delivery: &str, seconds: i64, succeeded| DeliveryAttempt {
            id: id.to_owned(),
            delivery_id: delivery.to_owned(),
            event: "push".to_owned(),
            at: now - Duration::seconds(seconds),
            succeeded,
            status: String::new(),
        };
        let attempts = vec![
            attempt("3", "a", 60, true),
            attempt("2", "b", 80, false),
            attempt("0", "a", 60, false),
            attempt("1", "a", 90, false),
        ];
        let deliveries = by_delivery(attempts);
        let deliveries: Vec<_> = deliveries
            .iter()
            .map(|d| (d.delivery_id.as_str(), d.attempt_id.as_str(), d.succeeded))
            .collect();
        assert_eq!(deliveries, [("b", "2", false), ("a", "3", true)]);
    }
}
