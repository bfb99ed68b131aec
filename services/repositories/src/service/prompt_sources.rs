//! Reads what the prompt of an agent is made of: a discussion, and files of the default branch.
use ck8s_provider::{Discussion, FileLookup, ProviderError, Thread};
use ck8s_types::RepositoryId;

use super::{provider::RemoteRepository, repositories::Repositories};
use crate::error::Error;

/// The step that an error names.
const READING: &str = "reading for a prompt";

/// What a prompt is to be made of.
pub(crate) struct PromptRequest {
    pub repository: RepositoryId,
    /// The issue or pull request; none: none.
    pub number: Option<i64>,
    /// Files of the default branch.
    pub paths: Vec<String>,
}

/// What a prompt is made of.
pub(crate) struct PromptSources {
    pub discussion: Option<Discussion>,
    /// Paths and texts, in the order in which they were asked for; one that is not there is missing.
    pub files: Vec<(String, String)>,
}

impl Repositories {
    /// Reads the discussion and the files as they are now.
    pub(crate) async fn read_prompt_sources(
        &self,
        request: PromptRequest,
    ) -> Result<PromptSources, Error> {
        let (repository, remote) = self.load_remote(request.repository).await?;
        let branch = &repository.default_branch.name;
        let sources = read(&remote, branch, &request).await;
        if let Err(error) = &sources {
            self.note_provider_error(&repository, error).await;
        }
        sources.map_err(Error::at(READING))
    }
}

async fn read(
    remote: &RemoteRepository,
    branch: &str,
    request: &PromptRequest,
) -> Result<PromptSources, ProviderError> {
    let (api, credential, repository) = (remote.api(), &remote.credential, &remote.remote);
    let discussion = match request.number {
        Some(number) => {
            let thread = Thread { number };
            Some(api.discussion(credential, repository, &thread).await?)
        }
        None => None,
    };
    let mut files = Vec::with_capacity(request.paths.len());
    for path in &request.paths {
        let found = api.fetch_file(credential, repository, branch, path, None);
        if let FileLookup::File { text, .. } = found.await? {
            files.push((path.clone(), text));
        }
    }
    Ok(PromptSources { discussion, files })
}
