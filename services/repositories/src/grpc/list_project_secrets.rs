//! The method `ListProjectSecrets`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{page, project_access};
use tonic::{Request, Status};

use super::request;
use crate::{convert, service::Repositories};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::ListProjectSecretsRequest>,
) -> Result<pb::ListProjectSecretsResponse, Status> {
    let access = project_access::of(&request);
    let list = request.into_inner();
    let project = request::project(list.project)?;
    let size = page::size(list.page_size)?;
    let after = page::decode("page_token", &list.page_token)?;
    let page = repositories
        .list_project_secrets(&access, project, after, size)
        .await?;
    Ok(pb::ListProjectSecretsResponse {
        secrets: page.secrets.into_iter().map(convert::secret).collect(),
        next_page_token: page
            .next
            .map(|name| page::encode(&name))
            .unwrap_or_default(),
    })
}
