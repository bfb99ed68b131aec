//! Workers' certificates: the first for a join token, which works once, the next ones for the certificate before.
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use ck8s_db::events::{self, NewEvent};
use ck8s_pki::{Authority, Identity, Issued, PkiError};
use ck8s_rpc::Caller;
use ck8s_types::WorkerId;
use serde_json::json;
use sqlx::PgConnection;

use super::Auth;
use crate::{domain, error::AuthError, store::tokens};

/// Signs with the authority of a directory, as it is when it is needed: it may be replaced.
#[derive(Debug)]
pub(super) struct Signer {
    dir: PathBuf,
    life: Duration,
}

impl Signer {
    /// An authority that can be used now.
    pub fn open(dir: &Path, life: Duration) -> Result<Self, PkiError> {
        Authority::read(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            life,
        })
    }

    fn sign(&self, worker: &WorkerId, request: &str) -> Result<Issued, AuthError> {
        let authority = Authority::read(&self.dir).map_err(AuthError::Authority)?;
        let identity = Identity::Worker(worker.clone());
        authority
            .sign(request, &identity, self.life)
            .map_err(AuthError::Request)
    }
}

impl Auth {
    /// Signs a worker's first certificate. A request that cannot be signed leaves the token good.
    pub(crate) async fn join_worker(
        &self,
        token: &str,
        worker: &WorkerId,
        request: &str,
    ) -> Result<Issued, AuthError> {
        let signer = self.signer.as_ref().ok_or(AuthError::SigningOff)?;
        let mut tx = self.pool.begin().await?;
        let used = tokens::use_join(&mut tx, &domain::hash(token)).await?;
        let name = used.ok_or(AuthError::JoinRefused)?;
        let issued = signer.sign(worker, request)?;
        record(&mut tx, "worker.joined", format!("token:{name}"), worker).await?;
        tx.commit().await?;
        Ok(issued)
    }

    /// Signs a worker's next certificate, for the id that the one before names.
    pub(crate) async fn renew_worker_certificate(
        &self,
        caller: &Caller,
        request: &str,
    ) -> Result<Issued, AuthError> {
        let signer = self.signer.as_ref().ok_or(AuthError::SigningOff)?;
        let Caller::Worker {
            certified: Some(worker),
            ..
        } = caller
        else {
            return Err(AuthError::NoCertificate);
        };
        let issued = signer.sign(worker, request)?;
        let mut conn = self.pool.acquire().await?;
        record(&mut conn, "worker.renewed", caller.actor(), worker).await?;
        Ok(issued)
    }
}

async fn record(
    conn: &mut PgConnection,
    kind: &'static str,
    actor: String,
    worker: &WorkerId,
) -> Result<(), AuthError> {
    let event = NewEvent {
        kind,
        project_id: None,
        run_id: None,
        actor,
        message: format!("worker {worker} got a certificate"),
        data: Some(json!({ "worker_id": worker })),
    };
    Ok(events::record(conn, &[event]).await?)
}
