//! The start of the service: checks the settings, connects the parts and starts the tasks.
use std::sync::Arc;

use ck8s_rpc::rate::Rate;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    config::AuthConfig,
    error::StartError,
    service::{Auth, Bootstrap, CertificateSigner, DENIALS_PER_MINUTE, SignIn},
    tasks::{TokenUse, sweep_periodically},
};

impl Auth {
    /// Starts the service on a pool with the role `ck8s_auth`: checks the settings, makes sure that the key ring opens
    /// the signing key, adds the first platform admin, and starts the tasks, which end with `shutdown`.
    ///
    /// # Errors
    /// The settings or the key ring cannot be used; the database fails.
    pub async fn start(
        pool: PgPool,
        config: AuthConfig,
        shutdown: CancellationToken,
    ) -> Result<Self, StartError> {
        let certificates = config.certificates.map(CertificateSigner::open);
        let certificates = certificates.transpose().map_err(StartError::Authority)?;
        let sign_in = config.sign_in.map(SignIn::new);
        let sign_in = sign_in.transpose().map_err(StartError::SignIn)?;
        let auth = Self {
            certificates: certificates.map(Arc::new),
            sign_in: sign_in.map(Arc::new),
            token_use: Arc::new(TokenUse::default()),
            denials: Arc::new(Rate::per_minute(DENIALS_PER_MINUTE)),
            pool: pool.clone(),
        };
        if auth.sign_in.is_some() {
            auth.verify_key_ring().await.map_err(StartError::KeyRing)?;
        }
        if let Some(address) = &config.first_admin {
            let added = Bootstrap::new(pool.clone())
                .ensure_first_admin(address)
                .await;
            if added.map_err(StartError::FirstAdmin)? {
                tracing::info!("the first platform admin may sign in");
            }
        }
        tokio::spawn(sweep_periodically(pool, shutdown));
        Ok(auth)
    }
}
