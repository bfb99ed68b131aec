//! What need not be done before an answer: noting when tokens were used, sweeping what is old. Losing any of it loses nothing.
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use ck8s_rpc::rate::Rate;
use ck8s_types::{TokenId, UserId};
use sqlx::PgPool;

use crate::store;

/// How often what is old is swept.
const SWEEP: Duration = Duration::from_secs(3600);
/// When what was last done, in this process.
#[derive(Debug)]
pub(crate) struct Upkeep {
    touched: Rate<TokenId>,
    denied: Rate<(UserId, String)>,
    swept: Mutex<Option<Instant>>,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self {
            touched: Rate::per_minute(1),
            denied: Rate::per_minute(1),
            swept: Mutex::default(),
        }
    }
}

impl Upkeep {
    /// A token was used. Writes it down in the background, at most once a minute.
    pub fn touch(&self, pool: &PgPool, id: TokenId) {
        if self.touched.take(id, Instant::now()).is_err() {
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

    /// Whether a refusal is to be written down: once a minute for each user and method.
    pub fn denial_is_due(&self, user: UserId, method: &str) -> bool {
        let key = (user, method.to_owned());
        self.denied.take(key, Instant::now()).is_ok()
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
