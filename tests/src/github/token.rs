//! Tokens of the API, their rights, and installed apps.
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// A token of the API.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) user_id: u64,
    pub(crate) may: May,
}

/// The rights of a token.
#[derive(Clone, Debug)]
pub(crate) enum May {
    /// The scopes of a classic token.
    Classic(BTreeSet<String>),
    /// The permissions of a fine-grained token (`repository_hooks` → `write`), and its repository.
    Fine(Permissions),
    /// The rights of an installation's token, and when it expires.
    Installation(Permissions, Instant),
}

#[derive(Clone, Debug)]
pub(crate) struct Permissions {
    pub(crate) levels: BTreeMap<String, String>,
    pub(crate) repositories: BTreeSet<u64>,
}

/// An installed GitHub App.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The app's id.
    pub app_id: u64,
    /// The installation's id.
    pub id: u64,
    /// The app's name in URLs. Its bot is `slug[bot]`.
    pub slug: String,
    /// The id of its bot's account.
    pub bot_id: u64,
    /// The private key, in PEM.
    pub private_key: String,
    /// Its permissions: `repository_hooks` → `write`, and so on.
    pub permissions: BTreeMap<String, String>,
    /// The repositories where it is installed.
    pub repositories: BTreeSet<u64>,
    pub(super) public_key: Vec<u8>,
}

/// The permission that a request needs.
pub(crate) struct Needed {
    /// GitHub's name of the permission: `repository_hooks`.
    pub(crate) permission: &'static str,
    pub(crate) write: bool,
}

/// Whether a token has a permission.
pub(crate) enum Verdict {
    Yes,
    /// The repository must look as if it did not exist.
    Hidden,
    /// The request is refused with this message.
    Denied(&'static str),
}
