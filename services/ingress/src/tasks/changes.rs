//! Hears that repositories changed, and forgets what was known of them at once.
use std::time::Duration;

use ck8s_db::channels;
use sqlx::{PgPool, postgres::PgListener};
use tokio_util::sync::CancellationToken;

use crate::peers::repositories::Repositories;

/// Between attempts to listen again; meanwhile the cache's own age limit holds.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens until shutdown.
pub(crate) async fn run(pool: PgPool, repositories: Repositories, shutdown: CancellationToken) {
    let listening = async {
        loop {
            if let Err(error) = listen(&pool, &repositories).await {
                tracing::warn!(%error, "cannot hear of changes to repositories; trying again");
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = listening => {}
        () = shutdown.cancelled() => {}
    }
}

async fn listen(pool: &PgPool, repositories: &Repositories) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channels::REPOSITORIES).await?;
    // What came before we listened, or while the connection was lost, was missed.
    repositories.forget();
    loop {
        listener.try_recv().await?;
        repositories.forget();
    }
}
