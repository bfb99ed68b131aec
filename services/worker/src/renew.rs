//! The worker's next certificate: a fresh key, signed by the role auth because the certificate before is still good.
use std::time::{Duration, SystemTime};

use ck8s_pki::{Certificates, Issued, PkiError, Request};
use ck8s_proto::auth::v1::{RenewWorkerCertificateRequest, auth_service_client::AuthServiceClient};
use ck8s_rpc::mesh::{Dial, names};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::{Credential, WorkerConfig, WorkerError, backoff::Backoff, connection::call};

/// The first pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long to sleep at most: the machine's clock may be set, or the machine sleep.
const NAP: Duration = Duration::from_secs(60);

/// Why there is no next certificate yet.
#[derive(Debug, Error)]
enum RenewError {
    #[error("{}", .0.message())]
    Refused(#[from] tonic::Status),
    #[error(transparent)]
    Files(#[from] PkiError),
}

/// Looks after the worker's certificate until `end`, if it has one.
pub(crate) fn start(config: &WorkerConfig, end: &CancellationToken) -> Result<(), WorkerError> {
    let Credential::Certificate {
        certificates,
        renew_at,
    } = &config.credential
    else {
        return Ok(());
    };
    tokio::spawn(certificates.clone().watch(end.clone()));
    if let Some(list) = renew_at {
        let auth = Dial::new("auth", certificates.clone()).any_of(names(list)?);
        let (renewing, end) = (run(certificates.clone(), auth), end.clone());
        tokio::spawn(async move { end.run_until_cancelled(renewing).await });
    }
    Ok(())
}

async fn run(certificates: Certificates, auth: Channel) {
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    loop {
        let due = certificates.renew_at().duration_since(SystemTime::now());
        let due = due.unwrap_or_default();
        if due > Duration::ZERO {
            tokio::time::sleep(due.min(NAP)).await;
            continue;
        }
        match renew(&certificates, auth.clone()).await {
            Ok(()) => backoff.reset(),
            Err(error) => {
                tracing::warn!(%error, "the worker's certificate was not renewed yet");
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
}

async fn renew(certificates: &Certificates, auth: Channel) -> Result<(), RenewError> {
    let request = Request::new()?;
    let message = RenewWorkerCertificateRequest {
        certificate_request: request.csr.clone(),
    };
    let answer = AuthServiceClient::new(auth)
        .renew_worker_certificate(call(message))
        .await?
        .into_inner();
    let issued = Issued {
        certificate: answer.certificate,
        authority: answer.authority,
        until: SystemTime::now(),
    };
    request.bundle(&issued).write(&certificates.dir())?;
    certificates.look()?;
    Ok(())
}
