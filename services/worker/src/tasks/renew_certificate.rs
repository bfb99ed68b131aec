//! Renews the worker's certificate: a fresh key, signed by the role auth because the current certificate is still
//! valid.
use std::time::{Duration, SystemTime};

use ck8s_pki::{Certificates, Issued, PkiError, Request};
use ck8s_proto::auth::v1::{RenewWorkerCertificateRequest, auth_service_client::AuthServiceClient};
use ck8s_rpc::mesh::{Dial, names};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};

use crate::{config::Credential, connection::request, domain::Backoff, error::WorkerError};

/// The first wait after a failure, and the longest.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Bounds a sleep: the machine's clock may be set, or the machine may be suspended.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// Why a certificate was not renewed.
#[derive(Debug, Error)]
enum RenewError {
    #[error("{}", .0.message())]
    Server(#[from] Status),
    #[error(transparent)]
    Files(#[from] PkiError),
}

/// Keeps the worker's certificate up to date until `end`, if it has one.
pub(crate) fn start(credential: &Credential, end: &CancellationToken) -> Result<(), WorkerError> {
    let Credential::Certificate {
        certificates,
        renew_at,
    } = credential
    else {
        return Ok(());
    };
    tokio::spawn(certificates.clone().watch(end.clone()));
    if let Some(list) = renew_at {
        let auth = Dial::new("auth", certificates.clone()).any_of(names(list)?);
        let (renewal, end) = (run(certificates.clone(), auth), end.clone());
        tokio::spawn(async move { end.run_until_cancelled(renewal).await });
    }
    Ok(())
}

async fn run(certificates: Certificates, auth: Channel) {
    let mut backoff = Backoff::new(RETRY_BACKOFF.0, RETRY_BACKOFF.1);
    loop {
        let due = certificates.renew_at().duration_since(SystemTime::now());
        let due = due.unwrap_or_default();
        if due > Duration::ZERO {
            tokio::time::sleep(due.min(MAX_SLEEP)).await;
            continue;
        }
        match renew(&certificates, auth.clone()).await {
            Ok(()) => backoff.reset(),
            Err(error) => {
                tracing::warn!(%error, "the worker's certificate could not be renewed yet");
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
}

async fn renew(certificates: &Certificates, auth: Channel) -> Result<(), RenewError> {
    let key_request = Request::new()?;
    let message = RenewWorkerCertificateRequest {
        certificate_request: key_request.csr.clone(),
    };
    let response = AuthServiceClient::new(auth)
        .renew_worker_certificate(request(message))
        .await?
        .into_inner();
    let issued = Issued {
        certificate: response.certificate,
        authority: response.authority,
        until: SystemTime::now(),
    };
    key_request.bundle(&issued).write(&certificates.dir())?;
    certificates.reload()?;
    Ok(())
}
