//! A delivery: what is stored of a webhook, its states, and its outcome.
use std::{fmt, str::FromStr};

use ck8s_rpc::project_access::Scope;
use ck8s_types::{DeliveryId, ProjectId, RepositoryId, RunId, UnknownWord};
use time::OffsetDateTime;

use super::{run_request::RunRequest, text::sanitize};

/// Bounds a reason, in characters: more than people read, and it is part of the delivery's row.
pub(crate) const MAX_REASON_CHARS: usize = 500;

/// The state of a delivery, by the words of the schema.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum DeliveryState {
    /// It is stored and waits to be handled.
    Received,
    /// It created one run or several.
    RunCreated,
    /// It asks for no run.
    Ignored,
    /// It asks for a run that could not be created.
    Failed,
}

impl DeliveryState {
    pub(crate) const ALL: [Self; 4] = [
        Self::Received,
        Self::RunCreated,
        Self::Ignored,
        Self::Failed,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::RunCreated => "run_created",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeliveryState {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let unknown = || UnknownWord {
            set: "delivery state",
            word: word.to_owned(),
        };
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(unknown)
    }
}

/// A delivery without its body.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) id: DeliveryId,
    pub(crate) provider: String,
    /// The provider's id.
    pub(crate) key: String,
    pub(crate) event: String,
    pub(crate) action: String,
    pub(crate) sender: String,
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) repository_id: Option<RepositoryId>,
    pub(crate) state: DeliveryState,
    pub(crate) reason: String,
    /// Its runs that exist, in the order of services.yaml.
    pub(crate) run_ids: Vec<RunId>,
    pub(crate) received_at: OffsetDateTime,
    pub(crate) handled_at: Option<OffsetDateTime>,
    pub(crate) size_bytes: i64,
}

/// Which deliveries a list shows.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryFilter {
    pub(crate) scope: Scope,
    pub(crate) repository_id: Option<RepositoryId>,
    pub(crate) state: Option<DeliveryState>,
}

/// What tells a delivery from every other: the provider's id, within the repository whose secret signed it. So nobody
/// can use up the id of another repository's delivery.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct DeliveryKey {
    /// The provider's id.
    pub(crate) key: String,
    /// None: the platform's secret signed it.
    pub(crate) repository_id: Option<RepositoryId>,
}

/// A delivery to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewDelivery {
    /// The provider's id.
    pub(crate) key: String,
    pub(crate) event: String,
    pub(crate) action: String,
    pub(crate) sender: String,
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) repository_id: Option<RepositoryId>,
    /// The state that it is going to have: `Ignored`, and it has it at once; or `RunCreated`, and it waits until its
    /// runs exist.
    pub(crate) state: DeliveryState,
    pub(crate) reason: String,
    /// The runs that it asks for.
    pub(crate) runs: Vec<RunRequest>,
    /// The size of the raw body.
    pub(crate) size_bytes: i32,
    /// The raw body, compressed (`stored_body`).
    pub(crate) payload: Vec<u8>,
}

impl NewDelivery {
    /// Returns what tells it from every other delivery.
    pub(crate) fn delivery_key(&self) -> DeliveryKey {
        DeliveryKey {
            key: self.key.clone(),
            repository_id: self.repository_id,
        }
    }

    /// Returns the order in which deliveries are written.
    pub(crate) fn order(&self) -> (&str, Option<RepositoryId>) {
        (&self.key, self.repository_id)
    }
}

/// A stored delivery that waits to be handled.
#[derive(Clone, Debug)]
pub(crate) struct WaitingDelivery {
    pub(crate) id: DeliveryId,
    /// The provider's id.
    pub(crate) key: String,
    pub(crate) event: String,
    pub(crate) repository_id: Option<RepositoryId>,
    /// The name of the trigger whose run has the delivery's own id; none: it is not decided.
    pub(crate) first_trigger: Option<String>,
    /// Its runs that exist already.
    pub(crate) run_ids: Vec<RunId>,
    /// The raw body, compressed (`stored_body`).
    pub(crate) payload: Vec<u8>,
}

/// How the handling of a delivery ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DeliveryOutcome {
    pub(crate) id: DeliveryId,
    pub(crate) state: DeliveryState,
    pub(crate) reason: String,
    /// Its runs that exist, in the order of services.yaml.
    pub(crate) run_ids: Vec<RunId>,
}

impl DeliveryOutcome {
    /// The delivery asks for no run, or for no other than these.
    pub(crate) fn ended(id: DeliveryId, run_ids: Vec<RunId>, reason: &str) -> Self {
        let state = match run_ids.is_empty() {
            true => DeliveryState::Ignored,
            false => DeliveryState::RunCreated,
        };
        Self {
            id,
            state,
            reason: sanitize(reason, MAX_REASON_CHARS),
            run_ids,
        }
    }

    /// A run of the delivery could not be created, beside these.
    pub(crate) fn failed(id: DeliveryId, run_ids: Vec<RunId>, reason: &str) -> Self {
        Self {
            state: DeliveryState::Failed,
            ..Self::ended(id, run_ids, reason)
        }
    }
}

/// A delivery that goes on waiting, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Postponement {
    pub(crate) id: DeliveryId,
    /// For people.
    pub(crate) reason: String,
    /// Nobody tries again before this moment, except once a minute: the repository may have another credential by then.
    pub(crate) until: Option<OffsetDateTime>,
    /// Its runs that exist already.
    pub(crate) run_ids: Vec<RunId>,
}
