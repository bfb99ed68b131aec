//! The notice of a delivery that the repositories service is told of, because a repository's own state depends on it.
use ck8s_types::RepositoryId;

/// A delivery that a repository's own state depends on: a ping, a push, a change of the repository, or the proof of a
/// new secret.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryNotice {
    pub(crate) repository_id: RepositoryId,
    /// GitHub's name of the event.
    pub(crate) event: String,
    /// The branch of a push; empty otherwise.
    pub(crate) branch: String,
    /// Whether the current secret signed it while a previous one still counts.
    pub(crate) proves_rotation: bool,
}
