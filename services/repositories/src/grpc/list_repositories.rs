//! The method `ListRepositories`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{page, project_access};
use tonic::{Request, Status};

use crate::{convert, domain::repository::RepositoryPage, service::Repositories};

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
    let mut keys: Vec<_> = page
        .repositories
        .iter()
        .map(|view| view.repository.page_key())
        .collect();
    let views = page.repositories.into_iter();
    let mut repositories: Vec<_> = views.map(convert::repository).collect();
    let next = if page::shorten(&mut repositories) {
        keys.truncate(repositories.len());
        keys.pop()
    } else {
        page.next
    };
    pb::ListRepositoriesResponse {
        repositories,
        next_page_token: next.map(|key| page::encode(&key)).unwrap_or_default(),
    }
}
