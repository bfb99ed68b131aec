//! Refusals of people, on their way to the audit trail: few, and never in the way of an answer.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ck8s_types::UserId;

use crate::identify::Identify;

/// One person is told of once in this time, for one method.
const EACH: Duration = Duration::from_secs(60);
/// How many people and methods are remembered at once. Beyond it nothing is told: it bounds memory and writing.
const REMEMBERED: usize = 10_000;

/// Who was refused what lately.
#[derive(Default)]
pub(super) struct Denials {
    told: Mutex<HashMap<(UserId, String), Instant>>,
}

impl Denials {
    /// Has it written down in the background, unless it just was.
    pub fn tell(&self, identity: &Arc<dyn Identify>, user: UserId, path: &str) {
        if !self.is_due(user, path) {
            return;
        }
        let (identity, path) = (identity.clone(), path.to_owned());
        tokio::spawn(async move { identity.denied(user, &path).await });
    }

    fn is_due(&self, user: UserId, path: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (user, path.to_owned());
        if told.get(&key).is_some_and(|at| at.elapsed() < EACH) {
            return false;
        }
        if told.len() >= REMEMBERED {
            told.retain(|_, at| at.elapsed() < EACH);
        }
        told.len() < REMEMBERED
            && told
                .insert(key, Instant::now())
                .is_none_or(|at| at.elapsed() >= EACH)
    }
}
