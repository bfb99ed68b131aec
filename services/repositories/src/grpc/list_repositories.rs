//! The method `ListRepositories`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{page, project_access};
use prost::Message;
use tonic::{Request, Status};

use crate::{convert, domain::repository::RepositoryPage, service::Repositories};

/// Bounds a page, which ends early where it would be larger: half of what a gRPC client takes unless it is told
/// otherwise.
const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::ListRepositoriesRequest>,
) -> Result<pb::ListRepositoriesResponse, Status> {
    let access = project_access::of(&request);
    let list = request.into_inner();
    let size = page::size(list.page_size)?;
    let after = page::decode("page_token", &list.page_token)?;
    let page = repositories
        .list(&access, list.project, size, after)
        .await?;
    Ok(encode(page))
}

fn encode(page: RepositoryPage) -> pb::ListRepositoriesResponse {
    let mut response = pb::ListRepositoriesResponse::default();
    let (mut bytes, mut last, mut next) = (0, None, page.next);
    for view in page.repositories {
        let key = view.repository.page_key();
        let repository = convert::repository(view);
        bytes += repository.encoded_len();
        if bytes > MAX_PAGE_BYTES && last.is_some() {
            next = last;
            break;
        }
        response.repositories.push(repository);
        last = Some(key);
    }
    response.next_page_token = next.map(|key| page::encode(&key)).unwrap_or_default();
    response
}
