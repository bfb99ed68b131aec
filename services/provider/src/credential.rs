//! What a provider takes as proof.
use secrecy::SecretString;

/// As whom ck8s asks. Its debug form shows no secret.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A personal access token.
    Token(SecretString),
    /// An app's installation: short-lived tokens for one repository are made from it when they are needed.
    App {
        /// The app's id.
        app_id: String,
        /// The installation's id.
        installation_id: String,
        /// The app's private key, in PEM.
        private_key: SecretString,
    },
}
