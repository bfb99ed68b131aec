//! A repository, with what is needed to verify its webhooks and to match its triggers.
use std::sync::Arc;

use ck8s_types::{ProjectId, RepositoryId};

use super::{
    event::WriteAccessSource,
    signature::{Signature, WebhookSecret},
    trigger::Trigger,
};

/// The repositories of projects that stand for one repository at the provider: the one that ck8s manages, or else those
/// that projects added by hand, oldest first. A webhook is for the one whose secret signed it.
pub(crate) type Claimants = Vec<Arc<Repository>>;

/// A repository of a project.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) id: RepositoryId,
    pub(crate) project_id: ProjectId,
    /// owner/name.
    pub(crate) full_name: String,
    pub(crate) default_branch: String,
    /// In the order of services.yaml.
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) secrets: WebhookSecrets,
    /// Who says whether a sender may write. It is the provider if ck8s has a credential for the repository.
    pub(crate) write_access: WriteAccessSource,
}

/// The secrets that may have signed a repository's webhooks.
#[derive(Debug)]
pub(crate) struct WebhookSecrets {
    pub(crate) current: Option<WebhookSecret>,
    /// The secrets before the current one.
    pub(crate) previous: Vec<WebhookSecret>,
    /// The previous secrets count until this moment, in milliseconds since 1970; none: always.
    pub(crate) previous_until_ms: Option<i64>,
}

impl WebhookSecrets {
    /// Returns whether one of the secrets that are valid at `now_ms` signed this body.
    pub(crate) fn verify(&self, body: &[u8], signature: &Signature, now_ms: i64) -> bool {
        let previous = match self.previous_until_ms {
            Some(until) if until <= now_ms => &[][..],
            _ => &self.previous,
        };
        self.current
            .iter()
            .chain(previous)
            .any(|secret| secret.verify(body, signature))
    }

    /// Returns whether the current secret signed this body while a previous one still counts: the provider has the new
    /// one.
    pub(crate) fn proves_rotation(&self, body: &[u8], signature: &Signature) -> bool {
        let current = self.current.as_ref();
        !self.previous.is_empty() && current.is_some_and(|secret| secret.verify(body, signature))
    }
}
