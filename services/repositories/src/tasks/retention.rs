//! Deletes old reports and old answers.
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::periodic::periodic;
use crate::service::{DeletedRows, Repositories};

/// How often the task looks for old rows: they are kept for days, so a few seconds do not matter.
const RETENTION_INTERVAL: Duration = Duration::from_secs(15);

pub(crate) async fn retention(repositories: Repositories, shutdown: CancellationToken) {
    let round = || repositories.delete_old();
    periodic::<DeletedRows, _>("retention", RETENTION_INTERVAL, shutdown, round).await;
}
