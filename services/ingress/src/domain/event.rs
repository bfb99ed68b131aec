//! A delivery's event as triggers see it: its name, its payload, and the repository that it belongs to.
use super::payload::Payload;

/// The event of a delivery, with what triggers are matched against.
#[derive(Clone, Copy)]
pub(crate) struct WebhookEvent<'a> {
    /// GitHub's name of the event.
    pub(crate) name: &'a str,
    pub(crate) payload: &'a Payload<'a>,
    /// The repository's owner/name.
    pub(crate) repository: &'a str,
    pub(crate) write_access: WriteAccessSource,
}

/// Who says whether the sender may write to the repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WriteAccessSource {
    /// The provider is asked after matching; what the payload says does not count.
    Provider,
    /// There is no credential to ask the provider with: the payload's `author_association` decides.
    Payload,
}

impl<'a> WebhookEvent<'a> {
    /// Returns the branch that was pushed to, or the base branch of a pull request.
    pub(crate) fn branch(self) -> Option<&'a str> {
        if self.name == "push" {
            return self.payload.git_ref.as_str().strip_prefix("refs/heads/");
        }
        let base = self.payload.pull_request.0.as_ref()?.base.0.as_ref()?;
        Some(base.name.as_str()).filter(|name| !name.is_empty())
    }
}
