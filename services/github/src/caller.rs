//! What is remembered of a credential while this process runs: its limits, its turn to write, its short-lived tokens, whose it is.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ck8s_provider::{Actor, Credential, ProviderError, Quota};
use http::StatusCode;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{NAME, answer::Answer, bearer::Minted, limits, pace::Pace};

/// So many credentials are remembered; of more, those that nobody uses at the moment are forgotten.
const MOST: usize = 4096;

/// Everybody as whom this process asks, by a digest of the credential.
#[derive(Default)]
pub(crate) struct Callers(Mutex<HashMap<[u8; 32], Arc<Caller>>>);

/// One credential.
#[derive(Default)]
pub(crate) struct Caller {
    limited: Mutex<Option<OffsetDateTime>>,
    quota: Mutex<Option<Quota>>,
    pub(crate) actor: Mutex<Option<Actor>>,
    /// By what they are for.
    pub(crate) tokens: tokio::sync::Mutex<HashMap<String, Minted>>,
    turn: tokio::sync::Mutex<Turn>,
}

/// Who holds it writes.
#[derive(Default)]
struct Turn {
    /// When all writes would be forgiven.
    paid: Option<Instant>,
}

impl Callers {
    pub(crate) fn of(&self, credential: &Credential) -> Arc<Caller> {
        let mut callers = locked(&self.0);
        if callers.len() >= MOST {
            callers.retain(|_, caller| Arc::strong_count(caller) > 1);
        }
        callers.entry(digest(credential)).or_default().clone()
    }
}

impl Caller {
    /// Refuses while GitHub wants to be left alone.
    pub(crate) fn may_ask(&self) -> Result<(), ProviderError> {
        match *locked(&self.limited) {
            Some(until) if until > OffsetDateTime::now_utc() => Err(limited(until)),
            _ => Ok(()),
        }
    }

    /// Takes from an answer what it says of limits.
    pub(crate) fn note(&self, answer: &Answer) -> Result<(), ProviderError> {
        // What stands there then is of our address, and of nobody.
        if answer.status == StatusCode::UNAUTHORIZED {
            return Ok(());
        }
        let now = OffsetDateTime::now_utc();
        if let Some(quota) = limits::quota(answer) {
            *locked(&self.quota) = Some(quota);
        }
        let Some(until) = limits::until(answer, now) else {
            return Ok(());
        };
        let mut known = locked(&self.limited);
        *known = Some(known.map_or(until, |before| before.max(until)));
        if limits::refuses(answer) {
            return Err(limited(until));
        }
        Ok(())
    }

    pub(crate) fn quota(&self) -> Option<Quota> {
        *locked(&self.quota)
    }

    /// Does something when it is this credential's turn to write: one at a time, some at once, and then slowly.
    pub(crate) async fn in_turn<T>(&self, pace: &Pace, write: impl Future<Output = T>) -> T {
        let mut turn = self.turn.lock().await;
        let now = Instant::now();
        let free = pace.write_every * pace.burst.saturating_sub(1);
        let paid = turn.paid.map_or(now, |paid| paid.max(now));
        let wait = paid.duration_since(now).saturating_sub(free);
        if wait > Duration::ZERO {
            tokio::time::sleep(wait).await;
        }
        turn.paid = Some(paid + pace.write_every);
        write.await
    }
}

fn limited(until: OffsetDateTime) -> ProviderError {
    ProviderError::Limited { by: NAME, until }
}

/// Two credentials that differ in anything have nothing in common.
fn digest(credential: &Credential) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    };
    match credential {
        Credential::Token(token) => add(token.expose_secret()),
        Credential::App {
            app_id,
            installation_id,
            private_key,
        } => {
            add(app_id);
            add(installation_id);
            add(private_key.expose_secret());
        }
    }
    hash.finalize().into()
}

/// Nothing panics while it holds one of these.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn some_writes_follow_at_once_and_the_others_slowly() {
        let (caller, pace) = (Caller::default(), Pace::default());
        let since = Instant::now();
        for _ in 0..pace.burst {
            caller.in_turn(&pace, async {}).await;
        }
        assert_eq!(since.elapsed(), Duration::ZERO);
        for _ in 0..5 {
            caller.in_turn(&pace, async {}).await;
        }
        assert_eq!(since.elapsed(), pace.write_every * 5);
        tokio::time::advance(pace.write_every * 60).await;
        let since = Instant::now();
        for _ in 0..=pace.burst {
            caller.in_turn(&pace, async {}).await;
        }
        assert_eq!(since.elapsed(), pace.write_every);
    }

    #[test]
    fn credentials_are_told_apart_by_all_they_are_made_of() {
        let app = |app_id: &str, installation_id: &str, key: &str| {
            digest(&Credential::App {
                app_id: app_id.into(),
                installation_id: installation_id.into(),
                private_key: key.into(),
            })
        };
        assert_ne!(app("1", "23", "k"), app("12", "3", "k"));
        assert_ne!(app("1", "23", "k"), app("1", "23", "l"));
        assert_eq!(app("1", "23", "k"), app("1", "23", "k"));
        assert_ne!(
            digest(&Credential::Token("123k".into())),
            app("1", "23", "k")
        );
    }
}
