//! The service: its database, and what the settings turned on.
use std::sync::Arc;

use ck8s_proto::auth::v1::{
    auth_service_server::AuthServiceServer, projects_service_server::ProjectsServiceServer,
};
use ck8s_rpc::rate::Rate;
use ck8s_types::UserId;
use sqlx::PgPool;

use super::{
    certificate_signer::CertificateSigner, initial_credentials::Bootstrap, sign_in::SignIn,
};
use crate::{
    error::{AuthError, SignInError},
    tasks::TokenUse,
};

/// AuthService and ProjectsService over one database. A clone is the same service.
#[derive(Clone, Debug)]
pub struct Auth {
    pub(crate) pool: PgPool,
    pub(crate) certificates: Option<Arc<CertificateSigner>>,
    pub(crate) sign_in: Option<Arc<SignIn>>,
    pub(crate) token_use: Arc<TokenUse>,
    /// Limits how often the refusal of a method is recorded, by user and method.
    pub(crate) denials: Arc<Rate<(UserId, String)>>,
}

impl Auth {
    /// Returns AuthService, for a server's routes.
    #[must_use]
    pub fn auth_server(&self) -> AuthServiceServer<Self> {
        AuthServiceServer::new(self.clone())
    }

    /// Returns ProjectsService, for a server's routes.
    #[must_use]
    pub fn projects_server(&self) -> ProjectsServiceServer<Self> {
        ProjectsServiceServer::new(self.clone())
    }

    /// Returns the operations of the process that runs the server.
    #[must_use]
    pub fn bootstrap(&self) -> Bootstrap {
        Bootstrap::new(self.pool.clone())
    }

    /// Returns sign-in, if this process has a key ring.
    pub(super) fn sign_in(&self) -> Result<&SignIn, AuthError> {
        let sign_in = self.sign_in.as_deref();
        sign_in.ok_or_else(|| SignInError::SessionsOff.into())
    }
}
