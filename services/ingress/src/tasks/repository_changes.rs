//! Listens for changes of repositories, and clears the cache of them at once.
use std::time::Duration;

use ck8s_db::notify_channels;
use sqlx::{PgPool, postgres::PgListener};
use tokio_util::sync::CancellationToken;

use crate::peers::repositories::RepositoryCache;

/// The pause between attempts to listen again; meanwhile the cache's own age limit holds.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(1);

/// Listens until shutdown.
pub(crate) async fn run(pool: PgPool, repositories: RepositoryCache, shutdown: CancellationToken) {
    let listening = async {
        loop {
            if let Err(error) = listen(&pool, &repositories).await {
                tracing::warn!(%error, "cannot listen for changes of repositories; trying again");
            }
            tokio::time::sleep(RECONNECT_INTERVAL).await;
        }
    };
    shutdown.run_until_cancelled(listening).await;
}

async fn listen(pool: &PgPool, repositories: &RepositoryCache) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(notify_channels::REPOSITORIES).await?;
    // What came before this began to listen, or while the connection was lost, was missed.
    repositories.clear();
    loop {
        listener.try_recv().await?;
        repositories.clear();
    }
}
