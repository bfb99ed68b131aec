//! Credentials that a provider accepts.
use secrecy::SecretString;

/// The account that ck8s acts as. Its debug form shows no secret.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A personal access token.
    Token(SecretString),
    /// An app's installation. Short-lived tokens for single repositories are created from it when they are needed.
    App {
        /// The app's id.
        app_id: String,
        /// The installation's id.
        installation_id: String,
        /// The app's private key, in PEM.
        private_key: SecretString,
    },
}
