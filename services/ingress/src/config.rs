//! What can be set.
use secrecy::SecretString;

/// Settings of the ingress service.
#[derive(Clone, Debug, Default)]
pub struct IngressConfig {
    /// Signs the events that come without a repository (app, organisation); none: they are all refused.
    pub platform_secret: Option<SecretString>,
}
