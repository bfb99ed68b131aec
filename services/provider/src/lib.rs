#![doc = include_str!("../README.md")]

mod credential;
mod error;
mod provider;
mod types;

pub use credential::Credential;
pub use error::ProviderError;
pub use provider::RepositoryProvider;
pub use types::{
    Actor, ChangeSet, ChangedFiles, CommitState, CommitStatus, DeliveryAttempt, FileLookup,
    HeadRepository, Hook, HookSpec, MissingPermission, PullRequestHead, Quota, Remote, Thread,
};
