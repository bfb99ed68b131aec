//! Tells the repositories service of deliveries that a repository's own state depends on, after their commit and beside
//! their handling.
use tokio::sync::mpsc;

use crate::{domain::delivery_notice::DeliveryNotice, peers::delivery_notices::DeliveryNotices};

/// Bounds the notices that wait to be sent; the repositories service finds out without the others.
pub(crate) const NOTICE_QUEUE_CAPACITY: usize = 256;

/// Sends notices until nobody can queue any more.
pub(crate) async fn run(client: DeliveryNotices, mut notices: mpsc::Receiver<DeliveryNotice>) {
    while let Some(notice) = notices.recv().await {
        if let Err(cause) = client.send(notice).await {
            tracing::debug!(%cause, "a notice of a delivery was not sent");
        }
    }
}
