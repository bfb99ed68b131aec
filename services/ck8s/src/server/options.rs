//! What a server is started with.
use secrecy::SecretString;

use crate::{
    config::{Secrets, Tuning},
    mesh::MeshOptions,
    roles::Roles,
    sign_in::Reached,
};

/// What a server is started with.
pub struct Options {
    /// The roles, which are checked already.
    pub roles: Roles,
    /// The migrated database, for roles that have one.
    pub database_url: Option<SecretString>,
    /// The keys.
    pub secrets: Secrets,
    /// Settings.
    pub tuning: Tuning,
    /// How people sign in.
    pub sign_in: Reached,
    /// Where the roles of other processes are.
    pub mesh: MeshOptions,
}
