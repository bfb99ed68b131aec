//! What need not be done before an answer: noting when tokens were used, sweeping what is old. Losing any of it loses nothing.
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use ck8s_types::{TokenId, UserId};
use sqlx::PgPool;

use crate::store;

/// How exact `last_used_at` is, and how often one refusal is written down.
const TOUCH: Duration = Duration::from_secs(60);
/// How often what is old is swept.
const SWEEP: Duration = Duration::from_secs(3600);
/// How many tokens' last notes are remembered; a forgotten one costs an UPDATE that changes nothing.
const REMEMBERED: usize = 10_000;

/// When what was last done, in this process.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    touched: Mutex<HashMap<TokenId, Instant>>,
    denied: Mutex<HashMap<(UserId, String), Instant>>,
    swept: Mutex<Option<Instant>>,
}

impl Upkeep {
    /// A token was used. Writes it down in the background, at most once a minute.
    pub fn touch(&self, pool: &PgPool, id: TokenId) {
        if !self.touch_is_due(id) {
            return;
        }
        let pool = pool.clone();
        tokio::spawn(async move {
            let touched = async { store::tokens::touch(&mut *pool.acquire().await?, id).await };
            if let Err(cause) = touched.await {
                tracing::debug!(%cause, token = %id, "the use of a token was not noted");
            }
        });
    }

    fn touch_is_due(&self, id: TokenId) -> bool {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if touched.get(&id).is_some_and(|at| at.elapsed() < TOUCH) {
            return false;
        }
        if touched.len() >= REMEMBERED {
            touched.retain(|_, at| at.elapsed() < TOUCH);
        }
        touched.insert(id, Instant::now());
        true
    }

    /// Whether a refusal is to be written down: once a minute for each user and method, and none while too many are remembered.
    pub fn denial_is_due(&self, user: UserId, method: &str) -> bool {
        let mut denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (user, method.to_owned());
        if denied.get(&key).is_some_and(|at| at.elapsed() < TOUCH) {
            return false;
        }
        if denied.len() >= REMEMBERED {
            denied.retain(|_, at| at.elapsed() < TOUCH);
        }
        if denied.len() >= REMEMBERED {
            return false;
        }
        denied.insert(key, Instant::now());
        true
    }

    /// Something changed. Sweeps in the background, at most once an hour.
    pub fn sweep(&self, pool: &PgPool) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_some_and(|at| at.elapsed() < SWEEP) {
            return;
        }
        *swept = Some(Instant::now());
        let pool = pool.clone();
        tokio::spawn(async move {
            let swept = async {
                let mut conn = pool.acquire().await?;
                store::requests::sweep(&mut conn).await?;
                store::links::sweep(&mut conn).await?;
                store::sign_ins::sweep(&mut conn).await?;
                store::sessions::sweep(&mut conn).await?;
                store::signing_keys::sweep(&mut conn).await
            };
            if let Err(cause) = swept.await {
                tracing::debug!(%cause, "what is old was not swept");
            }
        });
    }
}
