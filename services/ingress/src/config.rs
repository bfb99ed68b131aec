//! The settings of the ingress service.
use secrecy::SecretString;

/// The settings of the ingress service.
#[derive(Clone, Debug, Default)]
pub struct IngressConfig {
    /// Signs the events that come without a repository (of an app or an organisation). Without it they are all
    /// rejected.
    pub platform_secret: Option<SecretString>,
}
