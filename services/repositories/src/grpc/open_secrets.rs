//! The method `OpenSecrets`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{convert::id, status};
use secrecy::ExposeSecret;
use tonic::{Request, Status};

use crate::{
    convert,
    service::{OpenSecrets, Repositories},
};

/// Bounds the secrets of a run, and with them the response.
const MAX_NAMES: usize = 1_000;

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::OpenSecretsRequest>,
) -> Result<pb::OpenSecretsResponse, Status> {
    let open = request.into_inner();
    let repository = id("repository_id", &open.repository_id)?;
    if open.names.len() > MAX_NAMES {
        return Err(status::invalid("names", "more than 1,000"));
    }
    let open = OpenSecrets {
        repository,
        names: open.names,
        origin: convert::run_origin(open.origin),
    };
    let opened = repositories.open_secrets(open).await?;
    let secrets = opened
        .values
        .into_iter()
        .map(|(name, value)| (name, value.expose_secret().to_owned()));
    Ok(pb::OpenSecretsResponse {
        secrets: secrets.collect(),
        withheld_names: opened.withheld,
    })
}
