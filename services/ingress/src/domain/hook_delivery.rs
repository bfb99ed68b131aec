//! A hook's attempts to deliver, as the provider lists them, and the request to deliver some of them again.
use ck8s_types::RepositoryId;
use time::OffsetDateTime;

/// One attempt of a hook to deliver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HookDelivery {
    /// The provider's id of the delivery; every attempt at it has the same.
    pub(crate) delivery_key: String,
    /// The provider's id of this attempt.
    pub(crate) attempt_id: String,
    pub(crate) event: String,
    /// How the attempt ended, in the provider's words.
    pub(crate) status: String,
    pub(crate) time: Option<OffsetDateTime>,
}

/// The deliveries of one repository's hook, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct HookLog {
    pub(crate) repository_id: RepositoryId,
    pub(crate) deliveries: Vec<HookDelivery>,
    /// The deliveries are complete up to this moment.
    pub(crate) complete_until: OffsetDateTime,
}

/// One page of hook logs: at most one repository's.
#[derive(Clone, Debug)]
pub(crate) struct HookLogPage {
    /// None: the repository was not looked at, or there is none.
    pub(crate) log: Option<HookLog>,
    /// Empty: this is the last page.
    pub(crate) next_page_token: String,
}

/// Attempts that the provider is asked to deliver again.
#[derive(Clone, Debug)]
pub(crate) struct Redelivery {
    pub(crate) repository_id: RepositoryId,
    pub(crate) attempt_ids: Vec<String>,
    /// Everything up to this moment arrived or is kept as missing; none: nothing new is known.
    pub(crate) complete_until: Option<OffsetDateTime>,
}

/// An attempt that the provider does not repeat now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RefusedRedelivery {
    pub(crate) attempt_id: String,
    pub(crate) reason: String,
}
