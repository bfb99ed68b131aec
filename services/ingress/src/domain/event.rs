//! A delivery's event as triggers see it: its name, its payload, and the repository that it belongs to.
use super::payload::{Payload, User};

/// The event of a delivery, with what triggers are matched against.
#[derive(Clone, Copy)]
pub(crate) struct WebhookEvent<'a> {
    /// GitHub's name of the event.
    pub(crate) name: &'a str,
    pub(crate) payload: &'a Payload<'a>,
    /// The repository's owner/name.
    pub(crate) repository: &'a str,
    pub(crate) write_access: &'a WriteAccessSource,
}

/// Who says whether the sender may write to the repository.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum WriteAccessSource {
    /// The provider is asked after matching, unless the event itself proves it; what the payload claims does not count.
    Provider {
        /// The account that ck8s acts as. What it does triggers nothing.
        actor: Actor,
    },
    /// There is no credential to ask the provider with: what the payload says decides.
    Payload,
}

/// An account at the provider.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Actor {
    /// The provider's id, which stays when the account is renamed; none: it is not known.
    pub(crate) id: Option<u64>,
    /// Its name; empty: it is not known.
    pub(crate) login: String,
}

impl Actor {
    /// Returns whether a payload describes this account.
    pub(crate) fn is(&self, user: &User<'_>) -> bool {
        match (self.id, user.id.0) {
            (Some(own), Some(id)) => own == id,
            _ => !self.login.is_empty() && self.login.eq_ignore_ascii_case(user.login.as_str()),
        }
    }
}

impl WebhookEvent<'_> {
    /// Returns whether there is a provider to ask.
    pub(crate) fn has_provider(self) -> bool {
        matches!(self.write_access, WriteAccessSource::Provider { .. })
    }
}
