//! The method `NoteDelivery`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::convert;
use tonic::{Request, Status};

use crate::{
    domain::hook_delivery::{ReceivedDelivery, SignedWith},
    service::Repositories,
};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::NoteDeliveryRequest>,
) -> Result<pb::NoteDeliveryResponse, Status> {
    let note = request.into_inner();
    let delivery = ReceivedDelivery {
        repository: convert::id("repository_id", &note.repository_id)?,
        event: note.event,
        branch: note.branch,
        signature: if note.signed_with_current {
            SignedWith::Current
        } else {
            SignedWith::Previous
        },
    };
    repositories.note_delivery(delivery).await?;
    Ok(pb::NoteDeliveryResponse {})
}
