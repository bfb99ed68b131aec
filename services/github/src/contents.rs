//! Files at the head of a branch.
use base64::{Engine, engine::general_purpose::STANDARD};
use ck8s_provider::{Credential, Fetched, ProviderError, Remote};

use crate::{
    GitHub,
    answer::Answer,
    ask::{Ask, Scope, part, parts},
    needs,
    repositories::path,
    wire,
};

impl GitHub {
    /// The etag is of the question by the branch. The commit is asked for after that, and the text read at it: both belong together, whatever
    /// is pushed in between; then the next question, with the etag of what was there before, finds the file changed.
    pub(crate) async fn fetch(
        &self,
        credential: &Credential,
        repository: &Remote,
        branch: &str,
        file: &str,
        etag: Option<&str>,
    ) -> Result<Fetched, ProviderError> {
        let path = path(&repository.full_name)?;
        let scope = Scope::Id(&repository.external_id);
        let at = |what: &str| format!("{path}/contents/{}?ref={}", parts(file), part(what));
        let ask = Ask::get(at(branch), needs::FILE).unless(etag);
        let first = self.ask(credential, scope, ask).await?;
        if first.unchanged() {
            return Ok(Fetched::Unchanged);
        }
        if !first.missing() {
            first.clone().good(needs::FILE)?;
        }
        let ask = Ask::get(format!("{path}/branches/{}", part(branch)), needs::BRANCH);
        let head = self
            .ask(credential, scope, ask)
            .await?
            .good(needs::BRANCH)?;
        let commit = head.read::<wire::Branch>()?.commit.sha;
        let ask = Ask::get(at(&commit), needs::FILE);
        let found = self.ask(credential, scope, ask).await?;
        if found.missing() {
            return Ok(Fetched::Missing);
        }
        Ok(Fetched::File {
            text: text(&found.good(needs::FILE)?)?,
            etag: first.etag(),
            commit,
        })
    }
}

/// A file's text; a directory has none, nor has a file of more than a megabyte here.
fn text(answer: &Answer) -> Result<String, ProviderError> {
    let wrong = |why: &str| ProviderError::Invalid(why.to_owned());
    if answer.body.first() == Some(&b'[') {
        return Err(wrong("the path is a directory"));
    }
    let content: wire::Content = answer.read()?;
    match (content.kind.as_str(), content.encoding.as_str()) {
        ("file", "base64") => {}
        ("file", _) => return Err(wrong("the file is larger than 1 MB")),
        (kind, _) => return Err(wrong(&format!("the path is a {kind}"))),
    }
    let folded: String = content.content.split_whitespace().collect();
    let bytes = STANDARD.decode(folded);
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| wrong("the file is not UTF-8"))
}
