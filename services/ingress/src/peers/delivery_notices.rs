//! Tells the repositories service of deliveries that a repository's own state depends on.
use ck8s_proto::repositories::v1::repositories_service_client::RepositoriesServiceClient;
use ck8s_rpc::mesh::Channel;

use super::unavailable::repositories_unavailable;
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

    /// Sends a notice. Without it, the repositories service finds the same out by itself, later.
    pub(crate) async fn send(&self, notice: DeliveryNotice) -> Result<(), ServiceUnavailable> {
        let request = convert::note_delivery_request(notice);
        let sent = self.client.clone().note_delivery(request).await;
        sent.map(drop).map_err(|s| repositories_unavailable(&s))
    }
}
