//! Tells the repositories service of deliveries that a repository's own state depends on.
use ck8s_proto::repositories::v1::repositories_service_client::RepositoriesServiceClient;
use ck8s_rpc::mesh::Channel;

use super::request::{CALL_TIMEOUT, repositories_unavailable, with_timeout};
use crate::{
    convert,
    domain::{delivery_notice::DeliveryNotice, unavailable::ServiceUnavailable},
};

/// The client of `NoteDelivery`; a clone is the same client.
#[derive(Clone)]
pub(crate) struct DeliveryNotices {
    client: RepositoriesServiceClient<Channel>,
}

impl DeliveryNotices {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            client: RepositoriesServiceClient::new(channel),
        }
    }

    /// Sends a notice. The repositories service finds out by itself, later, what it is not told.
    pub(crate) async fn send(&self, notice: DeliveryNotice) -> Result<(), ServiceUnavailable> {
        let request = with_timeout(convert::note_delivery_request(notice), CALL_TIMEOUT);
        let sent = self.client.clone().note_delivery(request).await;
        sent.map(drop).map_err(|s| repositories_unavailable(&s))
    }
}
