//! Records when API tokens were last used: in the background, and at most once a minute for each token.
use ck8s_rpc::rate::Rate;
use ck8s_types::TokenId;
use sqlx::PgPool;

use crate::store::tokens;

/// How often the use of one token is written down.
const WRITES_PER_MINUTE: u32 = 1;

/// The tokens whose use this process wrote down lately.
#[derive(Debug)]
pub(crate) struct TokenUse(Rate<TokenId>);

impl Default for TokenUse {
    fn default() -> Self {
        Self(Rate::per_minute(WRITES_PER_MINUTE))
    }
}

impl TokenUse {
    /// Records that a token was used.
    pub(crate) fn record(&self, pool: &PgPool, id: TokenId) {
        if self.0.check(id).is_err() {
            return;
        }
        let pool = pool.clone();
        tokio::spawn(async move {
            let recorded = async { tokens::record_use(&mut *pool.acquire().await?, id).await };
            if let Err(cause) = recorded.await {
                tracing::debug!(%cause, token = %id, "the use of a token was not recorded");
            }
        });
    }
}
