//! What the methods of a provider take and return.
use secrecy::SecretString;
use time::OffsetDateTime;

/// A repository, as its provider describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The provider's id, which stays when the repository is renamed.
    pub external_id: String,
    /// `owner/name`.
    pub full_name: String,
    /// The branch whose services.yaml counts.
    pub default_branch: String,
}

/// A permission that ck8s needs and a credential does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPermission {
    /// The permission, as the provider calls it: `Webhooks: Read and write`.
    pub permission: String,
    /// What ck8s needs it for.
    pub needed_for: String,
}

/// The account that a credential acts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The provider's own id.
    pub external_id: String,
    /// The account's name, which may change.
    pub login: String,
}

/// A hook to create, or what an existing one is changed to.
#[derive(Clone, Debug)]
pub struct HookSpec {
    /// Where it posts.
    pub url: String,
    /// The secret that signs its requests.
    pub secret: SecretString,
}

/// A hook that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The provider's own id.
    pub id: String,
    /// Where it posts.
    pub url: String,
    /// Whether it is switched on.
    pub active: bool,
    /// Whether it receives all events of ck8s, as JSON and with verified TLS.
    pub complete: bool,
}

/// One attempt of a hook to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// The provider's id of the attempt.
    pub id: String,
    /// The delivery's id, which all its attempts share.
    pub delivery_id: String,
    /// The event's name.
    pub event: String,
    /// When it was made.
    pub at: OffsetDateTime,
    /// Whether the receiver answered with a success.
    pub succeeded: bool,
    /// The result, as the provider calls it.
    pub status: String,
}

/// The result of reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileLookup {
    /// The file still has the ETag that the caller knows.
    Unchanged,
    /// There is no such file at the head of the branch.
    Missing,
    /// The file.
    File {
        /// Its text.
        text: String,
        /// The ETag for the next call.
        etag: String,
        /// The commit at the head of the branch.
        commit: String,
    },
}

/// The state that a commit's page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitState {
    /// The work is under way.
    Pending,
    /// The work succeeded.
    Success,
    /// The work failed.
    Failure,
    /// The work could not be tried.
    Error,
}

/// A status of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// The state.
    pub state: CommitState,
    /// Tells it from the commit's other statuses.
    pub context: String,
    /// The state in words, at most 140 characters.
    pub description: String,
    /// The page with the details.
    pub url: String,
}

/// An issue or a pull request, with its comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its number.
    pub number: i64,
}

/// The commit that a pull request offers, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestHead {
    /// The commit.
    pub commit: String,
    /// Its branch, in its own repository.
    pub branch: String,
    /// Its repository; none: it is gone.
    pub repository: Option<HeadRepository>,
    /// The branch that the pull request goes to.
    pub base_branch: String,
    /// When anything about the pull request last changed; none: the provider does not say.
    pub updated_at: Option<OffsetDateTime>,
}

/// A change whose files are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeSet {
    /// That of a pull request of this number.
    PullRequest(i64),
    /// What a commit has and another one, or a branch, has not.
    Between {
        /// A commit or a branch.
        base: String,
        /// A commit.
        head: String,
    },
}

/// The files of a change, as far as the provider states them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedFiles {
    /// Their paths; of a file that was moved both.
    pub paths: Vec<String>,
    /// Whether these are all.
    pub is_complete: bool,
}

/// The repository of a pull request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadRepository {
    /// The provider's id.
    pub external_id: String,
    /// `owner/name`.
    pub full_name: String,
}

/// How many requests a credential may still make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The requests that are allowed from one reset to the next.
    pub limit: i64,
    /// The requests that are left.
    pub remaining: i64,
    /// When the quota is full again.
    pub resets_at: OffsetDateTime,
}
