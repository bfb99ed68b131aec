//! What is told and what is asked.
use secrecy::SecretString;
use time::OffsetDateTime;

/// A repository as its provider knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The provider's own id, which stays when it is renamed.
    pub external_id: String,
    /// owner/name.
    pub full_name: String,
    /// The branch that counts.
    pub default_branch: String,
}

/// What a credential lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The permission, in the provider's own words: `Webhooks: Read and write`.
    pub permission: String,
    /// What ck8s needs it for.
    pub needed_for: String,
}

/// Whom a credential acts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The provider's own id.
    pub external_id: String,
    /// The name.
    pub login: String,
}

/// A hook to make.
#[derive(Clone, Debug)]
pub struct HookSpec {
    /// Where it posts to.
    pub url: String,
    /// What it signs with.
    pub secret: SecretString,
}

/// A hook that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The provider's own id.
    pub id: String,
    /// Where it posts to.
    pub url: String,
    /// It is on.
    pub active: bool,
    /// It hears of everything that ck8s wants to hear of.
    pub complete: bool,
}

/// One try of a hook to deliver something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookAttempt {
    /// The provider's own id of the try.
    pub id: String,
    /// The delivery's id: the same for every try.
    pub delivery_id: String,
    /// The event's name.
    pub event: String,
    /// When.
    pub at: OffsetDateTime,
    /// It was answered with a success.
    pub succeeded: bool,
    /// What it was answered, in the provider's words.
    pub answer: String,
}

/// A file, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Still what it was.
    Unchanged,
    /// There is none at the head of the branch.
    Missing,
    /// This.
    File {
        /// Its text.
        text: String,
        /// To ask for it next time.
        etag: String,
        /// The commit at the head of the branch.
        commit: String,
    },
}

/// What a commit's page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitState {
    /// Under way.
    Pending,
    /// It went well.
    Success,
    /// It did not do what it was asked.
    Failure,
    /// It could not be tried.
    Error,
}

/// A status of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// How it stands.
    pub state: CommitState,
    /// What tells it from others.
    pub context: String,
    /// In words, at most 140 characters.
    pub description: String,
    /// The page that tells more.
    pub url: String,
}

/// Where people talk: an issue or a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its number.
    pub number: i64,
}

/// How much a credential may still ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// So many requests from one reset to the next.
    pub limit: i64,
    /// So many are left.
    pub remaining: i64,
    /// When they are all back.
    pub resets_at: OffsetDateTime,
}
