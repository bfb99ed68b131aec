//! Certificates of workers: the first one for a join token, which works once, the next ones for the certificate before.
use ck8s_db::events::{self, FlowEvent};
use ck8s_pki::Issued;
use ck8s_rpc::Caller;
use ck8s_types::{EventKind, WorkerId};
use serde_json::json;
use sqlx::PgConnection;

use super::auth::Auth;
use crate::{domain, error::AuthError, store::tokens};

impl Auth {
    /// Signs a worker's first certificate. If the request cannot be signed, the token stays valid.
    pub(crate) async fn join_worker(
        &self,
        token: &str,
        worker: &WorkerId,
        request: &str,
    ) -> Result<Issued, AuthError> {
        let signer = self.certificates.as_ref().ok_or(AuthError::NoAuthority)?;
        let mut tx = self.pool.begin().await?;
        let name = tokens::spend_join_token(&mut tx, &domain::hash(token)).await?;
        let actor = format!("token:{}", name.ok_or(AuthError::JoinRefused)?);
        let issued = signer.sign(worker, request)?;
        record(&mut tx, EventKind::WorkerJoined, actor, worker).await?;
        tx.commit().await?;
        Ok(issued)
    }

    /// Signs a worker's next certificate, for the id in the current one.
    pub(crate) async fn renew_worker_certificate(
        &self,
        caller: &Caller,
        request: &str,
    ) -> Result<Issued, AuthError> {
        let signer = self.certificates.as_ref().ok_or(AuthError::NoAuthority)?;
        let Caller::Worker {
            certified: Some(worker),
            ..
        } = caller
        else {
            return Err(AuthError::NoCertificate);
        };
        let issued = signer.sign(worker, request)?;
        let mut conn = self.pool.acquire().await?;
        record(&mut conn, EventKind::WorkerRenewed, caller.actor(), worker).await?;
        Ok(issued)
    }
}

async fn record(
    conn: &mut PgConnection,
    kind: EventKind,
    actor: String,
    worker: &WorkerId,
) -> Result<(), AuthError> {
    let event = FlowEvent {
        kind,
        project_id: None,
        run_id: None,
        actor,
        message: format!("worker {worker} got a certificate"),
        data: Some(json!({ "worker_id": worker })),
    };
    Ok(events::record(conn, &[event]).await?)
}
