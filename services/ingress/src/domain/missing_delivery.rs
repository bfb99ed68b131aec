//! A delivery that a hook made and that did not arrive: its states, when it is asked for again, and when it is over.
use std::{fmt, str::FromStr};

use ck8s_types::{RepositoryId, UnknownWord};
use time::{Duration, OffsetDateTime};

/// How long a provider keeps a delivery. What has not arrived by then is given up.
const KEPT_BY_PROVIDER: Duration = Duration::days(3);
/// The pause after the first try. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::minutes(1);
/// Bounds the pause: that long at most a delivery waits after the way to this server is mended. Over three days this
/// makes about 80 requests for one delivery.
const MAX_PAUSE: Duration = Duration::hours(1);
/// Bounds the tries of a delivery that arrives and then fails here: what fails as often fails for a reason of its own.
const MAX_TRIES_AFTER_FAILURE: i32 = 5;

/// The state of a missing delivery, by the words of the schema.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum MissingState {
    /// It did not arrive, and the provider has not taken a request for it yet.
    Missing,
    /// The provider took a request to deliver it again.
    AskedAgain,
    /// It is here.
    Arrived,
    /// It will not be asked for any more.
    GivenUp,
}

impl MissingState {
    pub(crate) const ALL: [Self; 4] = [
        Self::Missing,
        Self::AskedAgain,
        Self::Arrived,
        Self::GivenUp,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::AskedAgain => "asked_again",
            Self::Arrived => "arrived",
            Self::GivenUp => "given_up",
        }
    }
}

impl fmt::Display for MissingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MissingState {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let unknown = || UnknownWord {
            set: "state of a missing delivery",
            word: word.to_owned(),
        };
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(unknown)
    }
}

/// A delivery that did not arrive, as it is found in the provider's list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FoundMissing {
    /// The provider's id of the delivery.
    pub(crate) delivery_key: String,
    /// The provider's id of the latest attempt.
    pub(crate) attempt_id: String,
    pub(crate) event: String,
    /// Why it is missing.
    pub(crate) reason: String,
    pub(crate) attempted_at: OffsetDateTime,
}

/// A missing delivery that is neither here nor given up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OpenDelivery {
    pub(crate) repository_id: RepositoryId,
    pub(crate) delivery_key: String,
    pub(crate) attempt_id: String,
    pub(crate) state: MissingState,
    pub(crate) reason: String,
    /// How often the provider was asked for it.
    pub(crate) tries: i32,
    pub(crate) attempted_at: OffsetDateTime,
}

/// What is known here of a delivery that its provider lists. A delivery that never arrived has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arrival {
    /// It arrived and did not fail.
    Arrived,
    /// It arrived, and its handling failed.
    Failed,
}

/// How the search for a delivery ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SearchEnd {
    Arrived,
    /// With the reason.
    GivenUp(String),
}

impl OpenDelivery {
    /// Decides whether the search for this delivery is over; none: it goes on.
    pub(crate) fn search_end(
        &self,
        arrival: Option<Arrival>,
        now: OffsetDateTime,
    ) -> Option<SearchEnd> {
        let tries = self.tries;
        match arrival {
            Some(Arrival::Arrived) => Some(SearchEnd::Arrived),
            Some(Arrival::Failed) if tries >= MAX_TRIES_AFTER_FAILURE => Some(SearchEnd::GivenUp(
                format!("it arrived and failed here; it was asked for {tries} times"),
            )),
            _ if now - self.attempted_at >= KEPT_BY_PROVIDER => Some(SearchEnd::GivenUp(format!(
                "GitHub keeps a delivery for three days; it was asked for {tries} times; the last answer: {}",
                self.reason
            ))),
            _ => None,
        }
    }

    /// Returns when this delivery is asked for once more, if it is asked for now.
    pub(crate) fn next_try_at(&self, now: OffsetDateTime) -> OffsetDateTime {
        let doublings = u32::try_from(self.tries).unwrap_or(0).min(10);
        now + (FIRST_PAUSE * 2_i32.pow(doublings)).min(MAX_PAUSE)
    }
}

/// What became of a request for a delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Try {
    pub(crate) delivery_key: String,
    pub(crate) state: MissingState,
    /// Why it is still missing.
    pub(crate) reason: String,
    pub(crate) next_try_at: OffsetDateTime,
}

/// Deliveries of one repository whose search ended in the same way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EndedSearch {
    pub(crate) delivery_key: String,
    pub(crate) reason: String,
    pub(crate) attempted_at: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: OffsetDateTime = time::macros::datetime!(2026-11-27 12:00 UTC);

    fn open(tries: i32) -> OpenDelivery {
        OpenDelivery {
            repository_id: uuid::Uuid::from_u128(1).into(),
            delivery_key: "a".to_owned(),
            attempt_id: "1".to_owned(),
            state: MissingState::Missing,
            reason: "timed out".to_owned(),
            tries,
            attempted_at: NOON,
        }
    }

    #[test]
    fn pauses_grow_to_an_hour_and_go_on_for_three_days() {
        let pauses: Vec<i64> = (0..9)
            .map(|tries| (open(tries).next_try_at(NOON) - NOON).whole_minutes())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let (mut at, mut tries) = (NOON, 0);
        while open(tries).search_end(None, at).is_none() {
            at = open(tries).next_try_at(at);
            tries += 1;
        }
        assert_eq!(tries, 77, "requests for a delivery that never arrives");
        assert_eq!(
            (open(i32::MAX).next_try_at(NOON) - NOON).whole_minutes(),
            60
        );
    }

    #[test]
    fn what_arrives_is_over_however_old_and_what_does_not_is_given_up_with_its_reason() {
        let late = NOON + Duration::days(4);
        let arrived = open(3).search_end(Some(Arrival::Arrived), late);
        assert_eq!(arrived, Some(SearchEnd::Arrived));
        let Some(SearchEnd::GivenUp(reason)) = open(3).search_end(None, late) else {
            panic!("it is given up");
        };
        assert!(
            reason.contains("three days") && reason.contains("timed out"),
            "{reason}"
        );
        let almost = NOON + KEPT_BY_PROVIDER - Duration::SECOND;
        assert_eq!(open(900).search_end(None, almost), None);
    }

    #[test]
    fn what_fails_here_is_asked_for_five_times() {
        let failed = |tries| open(tries).search_end(Some(Arrival::Failed), NOON);
        assert_eq!(failed(4), None);
        assert!(matches!(failed(5), Some(SearchEnd::GivenUp(_))));
    }
}
