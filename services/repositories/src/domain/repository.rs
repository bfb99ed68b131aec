//! A repository: its own fields, its services.yaml, its hook, and what is known of its provider.
use std::sync::Arc;

use ck8s_types::{ProjectId, RepositoryId};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{run_secret::RunSecret, services_yaml::Services, timestamps};

/// A repository that was not removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub id: RepositoryId,
    pub project_id: ProjectId,
    /// The provider's id of it, which stays when it is renamed.
    pub external_id: String,
    /// owner/name.
    pub full_name: String,
    pub default_branch: DefaultBranch,
    /// Grows with each change that people see.
    pub version: i64,
    #[serde(with = "timestamps")]
    pub created_at: OffsetDateTime,
    #[serde(with = "timestamps")]
    pub updated_at: OffsetDateTime,
    /// The secrets of its runs, by name. Answers that an older program stored have none.
    #[serde(default)]
    pub secrets: Vec<RunSecret>,
    /// When the webhook secret before the current one ends, if there is one.
    #[serde(with = "timestamps::option")]
    pub previous_secret_expires_at: Option<OffsetDateTime>,
    pub services_file: ServicesFile,
    pub hook: Hook,
    pub provider: ProviderState,
}

/// The branch that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DefaultBranch {
    pub name: String,
    pub source: BranchSource,
}

/// Who chose a repository's default branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BranchSource {
    /// It is the provider's, and follows it.
    Provider,
    /// Somebody chose it, and it stays.
    Person,
}

/// A repository's services.yaml.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServicesFile {
    /// Where it is in the repository.
    pub path: String,
    /// The text that is in force; empty: none is.
    pub text: String,
    /// The provider's etag of the file that was read last. None or empty: the next reading fetches the whole file.
    pub etag: Option<String>,
    /// The commit that was read last.
    pub commit: Option<String>,
    /// Why the file at the provider is not in force; none: it is.
    pub problem: Option<String>,
    #[serde(with = "timestamps::option")]
    pub checked_at: Option<OffsetDateTime>,
}

/// The hook that ck8s made at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hook {
    /// The provider's id of it; none: ck8s made none.
    pub id: Option<String>,
    /// What is wrong with it; none: nothing that is known.
    pub problem: Option<String>,
    /// When a delivery of it last came, to the minute.
    #[serde(with = "timestamps::option")]
    pub seen_at: Option<OffsetDateTime>,
    /// Every delivery up to then was looked for.
    #[serde(with = "timestamps::option")]
    pub recovered_until: Option<OffsetDateTime>,
}

/// What is known of a repository's provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProviderState {
    /// None: ck8s has no credential, and people maintain the hook and services.yaml by hand.
    pub credential: Option<CredentialKind>,
    /// The provider's id of the account that the credential acts as.
    pub actor_id: Option<String>,
    /// The name of that account.
    pub actor_login: Option<String>,
    /// Until when the provider takes no requests.
    #[serde(with = "timestamps::option")]
    pub limited_until: Option<OffsetDateTime>,
}

/// What a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CredentialKind {
    Token,
    App,
}

impl Repository {
    /// Returns whether ck8s manages the repository at its provider.
    pub(crate) fn is_managed(&self) -> bool {
        self.provider.credential.is_some()
    }

    /// Returns where a page that ends with this repository goes on.
    pub(crate) fn page_key(&self) -> PageKey {
        (self.full_name.to_lowercase(), self.id)
    }
}

impl ProviderState {
    /// Returns until when the provider takes no requests; none: it takes them at `now`.
    pub(crate) fn limited_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.limited_until.filter(|until| *until > now)
    }
}

/// A repository together with what its services.yaml says.
#[derive(Clone, Debug)]
pub(crate) struct RepositoryView {
    pub repository: Repository,
    pub services: Arc<Services>,
}

/// A repository, and the webhook secret that this call gave it.
pub(crate) struct RepositoryWithSecret {
    pub view: RepositoryView,
    /// None: the secret stays with ck8s, or an earlier call with the same request id returned it.
    pub webhook_secret: Option<SecretString>,
}

/// What ingress needs to verify and match deliveries.
pub(crate) struct ResolvedRepository {
    pub view: RepositoryView,
    /// The valid webhook secrets, the current one first.
    pub webhook_secrets: Vec<SecretString>,
    /// When the one before the current one ends.
    pub expires_at: Option<OffsetDateTime>,
}

/// A repository that is meant by an id or a name. Several projects may have one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamedRepository {
    pub id: RepositoryId,
    pub project: ProjectId,
    pub standing: NamedStanding,
}

/// How a repository that is named stands; the later one is meant rather than the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NamedStanding {
    Removed,
    /// Nothing proves that it is the provider's of that name.
    ByHand,
    /// A credential proves it.
    Managed,
}

/// A repository to insert.
pub(crate) struct NewRepository<'a> {
    pub id: RepositoryId,
    pub project_id: ProjectId,
    pub external_id: &'a str,
    pub full_name: &'a str,
    pub default_branch: &'a str,
    pub branch_source: BranchSource,
    pub services_text: &'a str,
    /// None: `.ck8s/services.yaml`.
    pub services_path: Option<&'a str>,
}

/// Fields of a repository to change; none: the field stays.
#[derive(Clone, Copy, Default)]
pub(crate) struct RepositoryChange<'a> {
    pub full_name: Option<&'a str>,
    pub default_branch: Option<&'a str>,
    pub branch_source: Option<BranchSource>,
    pub services_text: Option<&'a str>,
    pub services_path: Option<&'a str>,
}

/// Where the next page of a list starts: after this name (in lower case) and id.
pub(crate) type PageKey = (String, RepositoryId);

/// Which repositories a page of a list has.
pub(crate) struct PageQuery {
    /// None: those of every project.
    pub projects: Option<Vec<ProjectId>>,
    /// None: the first page.
    pub after: Option<PageKey>,
    pub limit: i64,
}

/// A page of a list.
pub(crate) struct RepositoryPage {
    pub repositories: Vec<RepositoryView>,
    /// None: this is the last page.
    pub next: Option<PageKey>,
}

/// What a removal left behind.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Removal {
    /// Why the hook stays at the provider; empty: it does not.
    pub hook_left: String,
}

/// What sealing again came to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ResealSummary {
    /// The key that everything is sealed under now.
    pub key_id: String,
    /// How many values were sealed again.
    pub resealed: i64,
    /// The keys that nothing is sealed under any more.
    pub idle_key_ids: Vec<String>,
}

/// Whether somebody may write to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteAccess {
    Allowed,
    Refused,
    /// They are the account that ck8s itself acts as.
    OwnActor,
}
