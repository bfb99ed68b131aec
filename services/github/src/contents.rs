//! Files at the head of a branch, read by ETag.
use base64::{Engine, engine::general_purpose::STANDARD};
use ck8s_provider::{Credential, FileLookup, ProviderError, Remote};

use crate::{client::GitHub, models, operations, path, request::Request, response::Response};

impl GitHub {
    /// Returns a text and the commit that it belongs to, whatever is pushed meanwhile: the ETag is that of the file on
    /// the branch, the commit is read after it, and the text is read at that commit. If something was pushed in
    /// between, the next call, with the older ETag, finds the file changed.
    pub(crate) async fn fetch_file(
        &self,
        credential: &Credential,
        repository: &Remote,
        branch: &str,
        file: &str,
        etag: Option<&str>,
    ) -> Result<FileLookup, ProviderError> {
        let path = path::repository(&repository.full_name)?;
        let at = |reference: &str| {
            let (file, reference) = (path::segments(file), path::segment(reference));
            format!("{path}/contents/{file}?ref={reference}")
        };
        let request = Request::get(at(branch), operations::GET_FILE).if_none_match(etag);
        let on_branch = self.send_to(credential, repository, request).await?;
        if on_branch.is_not_modified() {
            return Ok(FileLookup::Unchanged);
        }
        if !on_branch.is_not_found() {
            on_branch.clone().success()?;
        }
        let head = format!("{path}/branches/{}", path::segment(branch));
        let request = Request::get(head, operations::GET_BRANCH);
        let response = self.send_to(credential, repository, request).await?;
        let branch: models::Branch = response.success()?.json()?;
        let commit = branch.commit.sha;
        let request = Request::get(at(&commit), operations::GET_FILE);
        let at_commit = self.send_to(credential, repository, request).await?;
        if at_commit.is_not_found() {
            return Ok(FileLookup::Missing);
        }
        Ok(FileLookup::File {
            text: decode(&at_commit.success()?)?,
            etag: on_branch.etag(),
            commit,
        })
    }
}

/// Returns a file's text. A directory has none, and GitHub sends none for a file of more than a megabyte.
fn decode(response: &Response) -> Result<String, ProviderError> {
    let invalid = |why: &str| ProviderError::Invalid(why.to_owned());
    if response.body.first() == Some(&b'[') {
        return Err(invalid("the path is a directory"));
    }
    let content: models::Content = response.json()?;
    match (content.kind.as_str(), content.encoding.as_str()) {
        ("file", "base64") => {}
        ("file", _) => return Err(invalid("the file is larger than 1 MB")),
        (kind, _) => return Err(invalid(&format!("the path is a {kind}"))),
    }
    let base64: String = content.content.split_whitespace().collect();
    let bytes = STANDARD.decode(base64);
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| invalid("the file is not UTF-8"))
}
