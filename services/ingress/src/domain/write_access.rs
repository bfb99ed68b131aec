//! The sender of a delivery, the pull request that it is about, and the files that it changed: what is asked of the
//! provider, and its answer.
use time::OffsetDateTime;

use super::{
    changed_files::{ChangeSet, ChangedFiles},
    head::PullRequestHead,
    unavailable::ServiceUnavailable,
};

/// The account whose write access decides whether a trigger may run.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Sender {
    /// The provider's id of the account, which stays when the account is renamed.
    pub(crate) id: Option<u64>,
    /// The account's name at the provider.
    pub(crate) login: String,
}

/// What must be asked of the provider before a run is created.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ProviderQuestion {
    /// The account that must have write access; none: it needs none.
    pub(crate) sender: Option<Sender>,
    /// The number of the pull request whose head must be known; none: no head matters.
    pub(crate) pull_request: Option<u64>,
    /// The change whose files must be known; none: no files matter.
    pub(crate) change: Option<ChangeSet>,
}

/// What the provider answers.
#[derive(Clone, Debug)]
pub(crate) enum WriteAccess {
    /// The sender may write, or needs not to.
    Granted {
        /// The head of the pull request that was asked for.
        head: Option<PullRequestHead>,
        /// The files of the change that was asked for.
        files: ChangedFiles,
    },
    /// The sender may not, for this reason.
    Denied(String),
    /// The provider does not answer until somebody changes something, for this reason.
    Undecidable(String),
    /// The provider does not answer now.
    Deferred {
        /// For people.
        reason: String,
        /// The provider wants no questions before this moment.
        until: Option<OffsetDateTime>,
        /// Set if the provider does not answer at all.
        unavailable: Option<ServiceUnavailable>,
    },
}
