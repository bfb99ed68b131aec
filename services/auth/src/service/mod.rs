//! Use cases: open a transaction, change, record the flow event, keep the answer, commit.
mod admins;
mod admit;
mod bootstrap;
mod denials;
mod device;
mod join;
mod keys;
mod links;
mod members;
mod projects;
mod reseal;
mod sessions;
mod sign_in;
pub(crate) mod tokens;
mod users;
mod web;

use std::{path::Path, sync::Arc, time::Duration};

use ck8s_pki::PkiError;
use ck8s_proto::auth::v1::{
    auth_service_server::AuthServiceServer, projects_service_server::ProjectsServiceServer,
};
use ck8s_types::{RequestId, UserId};
use prost::Message;
use sqlx::{PgConnection, PgPool};

pub use self::admins::Granted;
pub(crate) use self::{
    device::Poll,
    sessions::Access,
    web::{CameBack, LIFE},
};
use self::{join::Signer, sign_in::SignIn};
use crate::{
    config::SignInConfig,
    error::AuthError,
    store::requests::{self, Claim},
    upkeep::Upkeep,
};

/// Both services over one database; a clone is the same.
#[derive(Clone, Debug)]
pub struct Auth {
    pool: PgPool,
    upkeep: Arc<Upkeep>,
    signer: Option<Arc<Signer>>,
    sign_in: Option<Arc<SignIn>>,
}

/// Who changes something, and the id that makes the call safe to repeat.
pub(crate) struct By {
    pub actor: String,
    /// The person, if it is one: nobody else gets the answer to their call.
    pub user: Option<UserId>,
    pub request_id: Option<RequestId>,
}

impl Auth {
    /// Over a pool with the role `ck8s_auth`. Must be called, and used, within a tokio runtime.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            upkeep: Arc::default(),
            signer: None,
            sign_in: None,
        }
    }

    /// Signs workers' certificates with the authority in a directory (`ca.crt`, `ca.key`), for so long.
    ///
    /// # Errors
    /// The authority cannot be used.
    pub fn signing(mut self, dir: &Path, life: Duration) -> Result<Self, PkiError> {
        self.signer = Some(Arc::new(Signer::open(dir, life)?));
        Ok(self)
    }

    /// Lets people sign in, and holds their sessions. Without it, only API tokens are known here.
    ///
    /// # Errors
    /// In words, if the settings are of no use.
    pub fn signing_in(mut self, config: SignInConfig) -> Result<Self, String> {
        self.sign_in = Some(Arc::new(SignIn::new(config)?));
        Ok(self)
    }

    /// AuthService, for a server's routes.
    #[must_use]
    pub fn auth_server(&self) -> AuthServiceServer<Self> {
        AuthServiceServer::new(self.clone())
    }

    /// ProjectsService, for a server's routes.
    #[must_use]
    pub fn projects_server(&self) -> ProjectsServiceServer<Self> {
        ProjectsServiceServer::new(self.clone())
    }
}

impl By {
    /// The answer that this call got before, if it is a repeated one. Otherwise the transaction holds its id from here on.
    async fn answered<M: Message + Default>(
        &self,
        conn: &mut PgConnection,
        method: &str,
    ) -> Result<Option<M>, AuthError> {
        let Some(request_id) = self.request_id else {
            return Ok(None);
        };
        let method = match self.user {
            Some(user) => format!("{method} of {user}"),
            None => method.to_owned(),
        };
        match requests::claim(conn, request_id, &method).await? {
            Claim::First => Ok(None),
            Claim::Answered(kept) => M::decode(kept.as_slice())
                .map(Some)
                .map_err(|_| AuthError::Corrupt("a kept answer")),
        }
    }

    /// Keeps the answer for a repeated call. It must not hold a secret.
    async fn keep<M: Message>(
        &self,
        conn: &mut PgConnection,
        response: &M,
    ) -> Result<(), AuthError> {
        if let Some(request_id) = self.request_id {
            requests::answer(conn, request_id, &response.encode_to_vec()).await?;
        }
        Ok(())
    }
}
