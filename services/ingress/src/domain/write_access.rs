//! The sender of a delivery, and what the provider says of their write access.
use time::OffsetDateTime;

use super::unavailable::ServiceUnavailable;

/// The account whose write access decides whether a trigger may run.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Sender {
    /// The provider's id of the account, which stays when the account is renamed.
    pub(crate) id: Option<u64>,
    /// The account's name at the provider.
    pub(crate) login: String,
    pub(crate) allowance: SenderAllowance,
}

/// What a trigger asks of its sender.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum SenderAllowance {
    /// The sender must have write access.
    Writers,
    /// The sender is a bot, and the trigger allows bots: write access is not needed.
    AnyBot,
}

/// Whether a sender may trigger what takes write access.
#[derive(Clone, Debug)]
pub(crate) enum WriteAccess {
    /// The sender may.
    Granted,
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
