//! What a server is started with.
use secrecy::SecretString;

use crate::{
    config::{Secrets, Tuning},
    mesh::MeshOptions,
    roles::Roles,
    sign_in::SignInSettings,
};

/// What a server is started with.
pub(crate) struct Options {
    /// The roles, which are checked already.
    pub(crate) roles: Roles,
    /// The migrated database, for roles that have one.
    pub(crate) database_url: Option<SecretString>,
    /// The keys.
    pub(crate) secrets: Secrets,
    /// Settings.
    pub(crate) tuning: Tuning,
    /// How people sign in.
    pub(crate) sign_in: SignInSettings,
    /// Where the roles of other processes are.
    pub(crate) mesh: MeshOptions,
}
