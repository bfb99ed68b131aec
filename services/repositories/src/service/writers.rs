//! Who may write where, as the provider said it: remembered for a minute, so that a busy person is asked about once.
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

/// How long an answer counts.
const KEPT: Duration = Duration::from_secs(60);
/// Bounds what is remembered.
const MOST: usize = 10_000;

/// Answers by repository and login.
#[derive(Default)]
pub struct Writers(Mutex<HashMap<(Uuid, String), (Instant, bool)>>);

impl Writers {
    /// What was said of them within the last minute.
    pub fn of(&self, repository: Uuid, login: &str) -> Option<bool> {
        let known = self.lock();
        let (at, may) = known.get(&(repository, login.to_lowercase()))?;
        (at.elapsed() < KEPT).then_some(*may)
    }

    /// Remembers an answer.
    pub fn keep(&self, repository: Uuid, login: &str, may: bool) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.retain(|_, (at, _)| at.elapsed() < KEPT);
        }
        if known.len() < MOST {
            known.insert((repository, login.to_lowercase()), (Instant::now(), may));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Uuid, String), (Instant, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_of_one_repository_and_any_case_of_a_login() {
        let (writers, one, other) = (Writers::default(), Uuid::now_v7(), Uuid::now_v7());
        writers.keep(one, "Ada", true);
        assert_eq!(writers.of(one, "ada"), Some(true));
        assert_eq!(writers.of(other, "ada"), None);
        assert_eq!(writers.of(one, "bob"), None);
    }
}
