//! The method `ReadPromptSources`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{convert, status};
use ck8s_types::is_repository_path;
use tonic::{Request, Status};

use crate::{
    convert::discussion,
    service::{PromptRequest, Repositories},
};

/// Bounds the files of one prompt.
const MAX_PATHS: usize = 30;

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::ReadPromptSourcesRequest>,
) -> Result<pb::ReadPromptSourcesResponse, Status> {
    let ask = request.into_inner();
    if ask.paths.len() > MAX_PATHS || !ask.paths.iter().all(|path| is_repository_path(path)) {
        let problem = format!("at most {MAX_PATHS} paths of files");
        return Err(status::invalid("paths", problem));
    }
    let request = PromptRequest {
        repository: convert::id("repository_id", &ask.repository_id)?,
        number: (ask.number > 0).then_some(ask.number),
        paths: ask.paths,
    };
    let sources = repositories.read_prompt_sources(request).await?;
    let files = sources.files.into_iter();
    Ok(pb::ReadPromptSourcesResponse {
        thread: sources.discussion.map(discussion),
        files: files
            .map(|(path, text)| pb::SourceFile { path, text })
            .collect(),
    })
}
