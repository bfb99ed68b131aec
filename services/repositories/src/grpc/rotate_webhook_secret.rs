//! The method `RotateWebhookSecret`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use tonic::{Request, Status};

use super::request;
use crate::{
    convert,
    service::{Repositories, RotateWebhookSecret},
};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::RotateWebhookSecretRequest>,
) -> Result<pb::RotateWebhookSecretResponse, Status> {
    let caller = request::caller(repositories, &request)?;
    let rotate = request.into_inner();
    request::repository(&rotate.repository)?;
    let rotate = RotateWebhookSecret {
        repository: rotate.repository,
        webhook_secret: request::secret(rotate.webhook_secret),
        overlap_seconds: rotate.overlap_seconds,
    };
    let rotated = repositories.rotate_webhook_secret(caller, rotate).await?;
    Ok(pb::RotateWebhookSecretResponse {
        repository: Some(convert::repository(rotated.view)),
        webhook_secret: convert::shown_secret(rotated.webhook_secret.as_ref()),
    })
}
