//! The method `RedeliverHookDeliveries`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{convert, status};
use tonic::{Request, Status};

use crate::service::Repositories;

/// Bounds the attempts of one call, as the contract says.
const MAX_ATTEMPTS: usize = 1_000;

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::RedeliverHookDeliveriesRequest>,
) -> Result<pb::RedeliverHookDeliveriesResponse, Status> {
    let redeliver = request.into_inner();
    let repository = convert::id("repository_id", &redeliver.repository_id)?;
    if redeliver.attempt_ids.len() > MAX_ATTEMPTS {
        return Err(status::invalid("attempt_ids", "more than 1,000"));
    }
    let until = redeliver.until.as_ref();
    let until = until.map(|until| convert::moment("until", until));
    let refused = repositories
        .redeliver(repository, &redeliver.attempt_ids, until.transpose()?)
        .await?;
    let (later_attempt_ids, reasons) = refused
        .into_iter()
        .map(|refused| (refused.attempt_id, refused.reason))
        .unzip();
    Ok(pb::RedeliverHookDeliveriesResponse {
        later_attempt_ids,
        reasons,
    })
}
