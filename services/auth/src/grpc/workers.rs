//! Certificates of workers: JoinWorker, RenewWorkerCertificate.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::{caller::caller, status};
use ck8s_types::WorkerId;
use tonic::{Request, Status};

use crate::Auth;

pub(super) async fn join_worker(
    auth: &Auth,
    request: Request<pb::JoinWorkerRequest>,
) -> Result<pb::JoinWorkerResponse, Status> {
    let request = request.get_ref();
    let worker: WorkerId = request
        .worker_id
        .parse()
        .map_err(|_| status::invalid("worker_id", "1 to 100 of a-z, A-Z, 0-9, . - _"))?;
    let issued = auth
        .join_worker(&request.token, &worker, &request.certificate_request)
        .await?;
    Ok(pb::JoinWorkerResponse {
        certificate: issued.certificate,
        authority: issued.authority,
        expire_time: Some(issued.until.into()),
    })
}

pub(super) async fn renew_worker_certificate(
    auth: &Auth,
    request: Request<pb::RenewWorkerCertificateRequest>,
) -> Result<pb::RenewWorkerCertificateResponse, Status> {
    let caller = caller(&request);
    let csr = &request.get_ref().certificate_request;
    let issued = auth.renew_worker_certificate(&caller, csr).await?;
    Ok(pb::RenewWorkerCertificateResponse {
        certificate: issued.certificate,
        authority: issued.authority,
        expire_time: Some(issued.until.into()),
    })
}
