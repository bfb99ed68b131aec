//! The method `ResolveRepositories`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::status;
use prost::Message;
use tonic::{Request, Status};

use crate::{convert, domain::repository::ResolvedRepository, error::Error, service::Repositories};

/// Bounds the repositories of one call, as the contract says.
const MAX_EXTERNAL_IDS: usize = 1_000;
/// Bounds the response: well under what a message of the mesh may hold.
const MAX_RESPONSE_BYTES: usize = 24 * 1024 * 1024;

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::ResolveRepositoriesRequest>,
) -> Result<pb::ResolveRepositoriesResponse, Status> {
    let resolve = request.into_inner();
    if resolve.provider() != pb::Provider::Github {
        return Err(status::invalid("provider", "must be PROVIDER_GITHUB"));
    }
    if resolve.external_ids.len() > MAX_EXTERNAL_IDS {
        return Err(status::invalid("external_ids", "more than 1,000"));
    }
    let resolved = repositories.resolve(&resolve.external_ids).await?;
    Ok(encode(resolved)?)
}

fn encode(resolved: Vec<ResolvedRepository>) -> Result<pb::ResolveRepositoriesResponse, Error> {
    let mut response = pb::ResolveRepositoriesResponse::default();
    let mut bytes = 0;
    for resolved in resolved {
        let resolved = convert::resolved_repository(resolved);
        bytes += resolved.encoded_len();
        if bytes > MAX_RESPONSE_BYTES {
            return Err(Error::AnswerTooLarge);
        }
        response.repositories.push(resolved);
    }
    Ok(response)
}
