//! What became of a delivery's runs so far, and what follows for the delivery: its outcome, or that it goes on waiting.
use ck8s_types::{DeliveryId, RunId};
use time::OffsetDateTime;

use super::{
    delivery::{DeliveryOutcome, MAX_REASON_CHARS, Postponement},
    run_request::{PendingDelivery, RunRequest},
    text::sanitize,
};

/// The reason of a delivery that waits for a service, while some of its runs exist.
const SOME_RUNS_MISSING: &str = "not all of its runs exist yet: a service is unavailable";

/// What became of a run that a delivery asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RunAnswer {
    /// It exists.
    Created(RunId),
    /// It may not run, for this reason.
    Refused(String),
    /// It cannot be created until somebody changes something, for this reason.
    Failed(String),
    /// Whoever decides does not answer now.
    Deferred {
        /// For people.
        reason: String,
        /// Nobody is asked before this moment.
        until: Option<OffsetDateTime>,
    },
}

/// A delivery, with what became of its runs so far.
#[derive(Debug)]
pub(crate) struct DeliveryProgress {
    id: DeliveryId,
    /// The triggers of its runs, if there are several.
    triggers: Vec<String>,
    /// One for each run that it asks for; none: not known yet.
    answers: Vec<Option<RunAnswer>>,
    /// Its runs that existed before.
    earlier: Vec<RunId>,
    /// What was to say of it before.
    reason: String,
}

/// What follows for a delivery.
#[derive(Debug)]
pub(crate) enum DeliveryEnd {
    /// It waits no longer.
    Outcome {
        outcome: DeliveryOutcome,
        /// Whether every run that it asks for exists: it ends as it was stored.
        as_stored: bool,
    },
    /// It goes on waiting; none: there is nothing to note.
    Waits(Option<Postponement>),
}

impl DeliveryProgress {
    /// Takes the runs out of a delivery. Nothing is known of them yet.
    pub(crate) fn new(pending: PendingDelivery) -> (Self, Vec<RunRequest>) {
        let runs = pending.requests.runs;
        let names = runs.iter().map(|run| run.trigger().to_owned());
        let progress = Self {
            id: pending.id,
            triggers: match runs.len() {
                1 => Vec::new(),
                _ => names.collect(),
            },
            answers: vec![None; runs.len()],
            earlier: pending.run_ids,
            reason: pending.requests.reason,
        };
        (progress, runs)
    }

    /// Notes what became of a run.
    pub(crate) fn answer(&mut self, run: usize, answer: RunAnswer) {
        if let Some(known) = self.answers.get_mut(run) {
            *known = Some(answer);
        }
    }

    /// Notes that a run cannot be created, for a reason that does not name the trigger.
    pub(crate) fn fail(&mut self, run: usize, reason: String) {
        let reason = match self.triggers.get(run) {
            Some(trigger) => format!("trigger {trigger:?}: {reason}"),
            None => reason,
        };
        self.answer(run, RunAnswer::Failed(reason));
    }

    /// Returns what follows. A refused or a missing run holds up no other; that one failed outweighs that others exist.
    pub(crate) fn end(self) -> DeliveryEnd {
        let mut run_ids = Vec::with_capacity(self.answers.len());
        let mut reasons = self.reason;
        let (mut has_failed, mut is_open, mut as_stored) = (false, false, true);
        let mut deferral: Option<(String, Option<OffsetDateTime>)> = None;
        for answer in self.answers {
            as_stored &= matches!(answer, Some(RunAnswer::Created(_)));
            match answer {
                Some(RunAnswer::Created(run)) => run_ids.push(run),
                Some(RunAnswer::Refused(reason)) => add(&mut reasons, &reason),
                Some(RunAnswer::Failed(reason)) => {
                    add(&mut reasons, &reason);
                    has_failed = true;
                }
                Some(RunAnswer::Deferred { reason, until }) => {
                    // It is tried again as soon as one of them can be.
                    let until = deferral
                        .as_ref()
                        .map_or(until, |(_, other)| until.min(*other));
                    deferral = Some((deferral.map_or(reason, |(first, _)| first), until));
                    is_open = true;
                }
                None => is_open = true,
            }
        }
        let earlier = self.earlier.into_iter();
        let others: Vec<RunId> = earlier.filter(|run| !run_ids.contains(run)).collect();
        run_ids.extend(others);
        if is_open {
            return DeliveryEnd::Waits(postponement(self.id, deferral, run_ids));
        }
        let outcome = match has_failed {
            true => DeliveryOutcome::failed(self.id, run_ids, &reasons),
            false => DeliveryOutcome::ended(self.id, run_ids, &reasons),
        };
        DeliveryEnd::Outcome { outcome, as_stored }
    }
}

fn postponement(
    id: DeliveryId,
    deferral: Option<(String, Option<OffsetDateTime>)>,
    run_ids: Vec<RunId>,
) -> Option<Postponement> {
    let (reason, until) = match deferral {
        Some(deferral) => deferral,
        None if run_ids.is_empty() => return None,
        None => (SOME_RUNS_MISSING.to_owned(), None),
    };
    Some(Postponement {
        id,
        reason: sanitize(&reason, MAX_REASON_CHARS),
        until,
        run_ids,
    })
}

fn add(reasons: &mut String, reason: &str) {
    if !reasons.is_empty() {
        reasons.push_str("; ");
    }
    reasons.push_str(reason);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::DeliveryState;

    fn progress(answers: Vec<Option<RunAnswer>>, earlier: Vec<RunId>) -> DeliveryProgress {
        DeliveryProgress {
            id: DeliveryId::new(),
            triggers: Vec::new(),
            answers,
            earlier,
            reason: String::new(),
        }
    }

    fn refused(reason: &str) -> Option<RunAnswer> {
        Some(RunAnswer::Refused(reason.to_owned()))
    }

    fn created(run: RunId) -> Option<RunAnswer> {
        Some(RunAnswer::Created(run))
    }

    #[track_caller]
    fn outcome(progress: DeliveryProgress) -> (DeliveryOutcome, bool) {
        match progress.end() {
            DeliveryEnd::Outcome { outcome, as_stored } => (outcome, as_stored),
            DeliveryEnd::Waits(why) => panic!("waits: {why:?}"),
        }
    }

    #[test]
    fn a_refused_run_is_a_reason_beside_the_runs_that_exist() {
        let (one, two) = (RunId::new(), RunId::new());
        let all = progress(vec![created(one), created(two)], vec![two]);
        let (all, as_stored) = outcome(all);
        assert_eq!(
            (all.state, all.reason.as_str()),
            (DeliveryState::RunCreated, "")
        );
        assert_eq!((all.run_ids, as_stored), (vec![one, two], true));

        let some = progress(vec![refused("no a"), created(two), refused("no b")], vec![]);
        let (some, as_stored) = outcome(some);
        assert_eq!(some.state, DeliveryState::RunCreated);
        assert_eq!(some.reason, "no a; no b");
        assert_eq!((some.run_ids, as_stored), (vec![two], false));

        let (none, _) = outcome(progress(vec![refused("no")], vec![]));
        assert_eq!(
            (none.state, none.reason.as_str()),
            (DeliveryState::Ignored, "no")
        );
    }

    #[test]
    fn a_run_that_cannot_be_created_fails_the_delivery_and_keeps_the_others() {
        let (one, earlier) = (RunId::new(), RunId::new());
        let failed = Some(RunAnswer::Failed("gone".to_owned()));
        let (failed, as_stored) = outcome(progress(vec![failed, created(one)], vec![earlier]));
        assert_eq!(
            (failed.state, failed.reason.as_str()),
            (DeliveryState::Failed, "gone")
        );
        assert_eq!((failed.run_ids, as_stored), (vec![one, earlier], false));
    }

    #[test]
    fn a_delivery_waits_for_the_run_that_is_deferred_and_knows_those_that_exist() {
        let (one, now) = (RunId::new(), OffsetDateTime::UNIX_EPOCH);
        let deferred = |until| {
            Some(RunAnswer::Deferred {
                reason: "quota".to_owned(),
                until,
            })
        };
        let later = now + time::Duration::hours(1);
        let answers = vec![deferred(Some(later)), created(one), deferred(Some(now))];
        let DeliveryEnd::Waits(Some(postponed)) = progress(answers, vec![]).end() else {
            panic!("it does not wait");
        };
        assert_eq!(postponed.reason, "quota");
        assert_eq!((postponed.until, postponed.run_ids), (Some(now), vec![one]));

        let unknown = progress(vec![None, refused("no")], vec![]).end();
        assert!(matches!(unknown, DeliveryEnd::Waits(None)), "{unknown:?}");
        let DeliveryEnd::Waits(Some(partly)) = progress(vec![None, created(one)], vec![]).end()
        else {
            panic!("it does not wait");
        };
        assert_eq!(
            (partly.reason.as_str(), partly.run_ids),
            (SOME_RUNS_MISSING, vec![one])
        );
    }
}
