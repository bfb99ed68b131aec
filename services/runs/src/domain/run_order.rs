//! Which of two runs of a concurrency group is for the newer state. Deliveries may arrive in any order: the provider
//! sends again what it could not deliver, and a repair comes late.
use std::cmp::Ordering;

use ck8s_types::{RunId, RunTrigger};

use super::{NewRun, Run};

/// Deliveries get their times from the clocks of several replicas: times that are nearer to each other do not say which
/// came first.
const MAX_CLOCK_SKEW_MS: u64 = 10_000;
/// The event of a push.
const PUSH: &str = "push";

/// How a new run relates to another one of its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RunOrder {
    /// It is for a newer state, and takes the other's place.
    Newer,
    /// It is for an older state: the other one was made before it, and stays.
    Older,
    /// One delivery asks for both.
    Together,
}

impl RunOrder {
    /// Returns how a new run relates to one that exists. Pushes are ordered by what the provider says, everything else
    /// by the times of deliveries and, where these are near to each other, as it comes.
    pub(crate) fn of(new: &NewRun, other: &Run) -> Self {
        if new.delivery.is_some() && new.delivery == other.delivery {
            return Self::Together;
        }
        // Somebody asks for it now.
        if new.delivery.is_none() || new.retry_of.is_some() {
            return Self::Newer;
        }
        let is_same_repository = new.repository == other.repository;
        let pushes = is_same_repository.then(|| compare_pushes(&new.trigger, &other.trigger));
        match pushes.flatten() {
            Some(Ordering::Less) => Self::Older,
            Some(_) => Self::Newer,
            None if time_ms(new.id) + MAX_CLOCK_SKEW_MS < time_ms(other.id) => Self::Older,
            None => Self::Newer,
        }
    }
}

/// Compares two pushes to a repository; none: the provider does not say which came first.
fn compare_pushes(one: &RunTrigger, other: &RunTrigger) -> Option<Ordering> {
    if one.event != PUSH || other.event != PUSH {
        return None;
    }
    let follows = |later: &RunTrigger, earlier: &RunTrigger| {
        later.git_ref == earlier.git_ref
            && !later.before_sha.is_empty()
            && later.before_sha == earlier.commit_sha
    };
    match (follows(one, other), follows(other, one)) {
        (true, false) => return Some(Ordering::Greater),
        (false, true) => return Some(Ordering::Less),
        // Back and forth, or something lies between them.
        (true, true) | (false, false) => {}
    }
    if one.pushed_at == 0 || other.pushed_at == 0 {
        return None;
    }
    Some(one.pushed_at.cmp(&other.pushed_at)).filter(|order| order.is_ne())
}

/// Returns the time of a run's delivery, or of the call that asked for it, in milliseconds since 1970.
fn time_ms(run: RunId) -> u64 {
    let [a, b, c, d, e, f, ..] = *run.uuid().as_bytes();
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use ck8s_types::{DeliveryId, ProjectId, RunSpec};
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::domain::PoolId;

    /// Returns a run of a delivery that arrived at this time.
    fn run_at(ms: u64, trigger: RunTrigger) -> NewRun {
        let delivery = Uuid::from_u128((u128::from(ms) << 80) | 7);
        let delivery = DeliveryId::from(delivery);
        NewRun {
            id: RunId::of_delivery(delivery),
            project: ProjectId::new(),
            repository: None,
            repository_name: String::new(),
            delivery: Some(delivery),
            trigger,
            spec: RunSpec::default(),
            retry_of: None,
            pool: PoolId(1),
            actor: "github:mona".to_owned(),
        }
    }

    fn push(before: &str, after: &str, pushed_at: i64) -> RunTrigger {
        RunTrigger {
            event: PUSH.to_owned(),
            git_ref: "main".to_owned(),
            before_sha: before.to_owned(),
            commit_sha: after.to_owned(),
            pushed_at,
            ..RunTrigger::default()
        }
    }

    /// Returns how the second run relates to the first.
    fn second(first: RunTrigger, second: RunTrigger) -> RunOrder {
        let first = run_at(1_000, first).pending(OffsetDateTime::UNIX_EPOCH);
        RunOrder::of(&run_at(1_001, second), &first)
    }

    #[test]
    fn pushes_of_a_ref_are_ordered_by_their_commits_whatever_the_time_says() {
        assert_eq!(
            second(push("b", "c", 5), push("a", "b", 9)),
            RunOrder::Older
        );
        assert_eq!(
            second(push("a", "b", 9), push("b", "c", 5)),
            RunOrder::Newer
        );
        let other_ref = RunTrigger {
            git_ref: "next".to_owned(),
            ..push("a", "b", 9)
        };
        assert_eq!(second(push("b", "c", 5), other_ref), RunOrder::Newer);
    }

    #[test]
    fn pushes_that_do_not_follow_each_other_are_ordered_by_the_providers_time() {
        let first = || push("c", "d", 30);
        assert_eq!(second(first(), push("a", "b", 20)), RunOrder::Older);
        assert_eq!(second(first(), push("x", "y", 40)), RunOrder::Newer);
        // Back and forth.
        assert_eq!(
            second(push("b", "a", 30), push("a", "b", 20)),
            RunOrder::Older
        );
        assert_eq!(
            second(push("b", "a", 30), push("a", "b", 40)),
            RunOrder::Newer
        );
        // What is not known decides nothing.
        for pushed_at in [0, 30] {
            assert_eq!(second(first(), push("a", "b", pushed_at)), RunOrder::Newer);
        }
    }

    #[test]
    fn a_delivery_that_arrived_long_before_is_older_and_one_that_arrived_with_it_is_not() {
        let new = |ms| run_at(ms, RunTrigger::default());
        let other = new(100_000).pending(OffsetDateTime::UNIX_EPOCH);
        assert_eq!(RunOrder::of(&new(80_000), &other), RunOrder::Older);
        for ms in [95_000, 100_500, 200_000] {
            assert_eq!(RunOrder::of(&new(ms), &other), RunOrder::Newer, "{ms}");
        }
    }

    #[test]
    fn runs_of_one_delivery_do_not_end_each_other_and_what_a_person_asks_for_is_the_newest() {
        let first = run_at(100_000, push("b", "c", 30)).pending(OffsetDateTime::UNIX_EPOCH);
        let sibling = NewRun {
            id: RunId::of_trigger(first.delivery.expect("a delivery"), "lint"),
            delivery: first.delivery,
            ..run_at(1, push("b", "c", 30))
        };
        assert_eq!(RunOrder::of(&sibling, &first), RunOrder::Together);
        let older = run_at(1, push("a", "b", 20));
        assert_eq!(RunOrder::of(&older, &first), RunOrder::Older);
        let retry = NewRun {
            retry_of: Some(older.id),
            delivery: None,
            ..older
        };
        assert_eq!(RunOrder::of(&retry, &first), RunOrder::Newer);
    }
}
