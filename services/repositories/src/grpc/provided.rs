//! The methods that need the provider.
use ck8s_proto::repositories::v1 as pb;
use tonic::{Request, Status};

use crate::service::Repositories;

pub(super) async fn rotate_credential(
    _repositories: &Repositories,
    _request: Request<pb::RotateCredentialRequest>,
) -> Result<pb::RotateCredentialResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn check_repository(
    _repositories: &Repositories,
    _request: Request<pb::CheckRepositoryRequest>,
) -> Result<pb::CheckRepositoryResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn mend_repository(
    _repositories: &Repositories,
    _request: Request<pb::MendRepositoryRequest>,
) -> Result<pb::MendRepositoryResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn note_delivery(
    _repositories: &Repositories,
    _request: Request<pb::NoteDeliveryRequest>,
) -> Result<pb::NoteDeliveryResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn may_write(
    _repositories: &Repositories,
    _request: Request<pb::MayWriteRequest>,
) -> Result<pb::MayWriteResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn list_hook_deliveries(
    _repositories: &Repositories,
    _request: Request<pb::ListHookDeliveriesRequest>,
) -> Result<pb::ListHookDeliveriesResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn redeliver_hook_deliveries(
    _repositories: &Repositories,
    _request: Request<pb::RedeliverHookDeliveriesRequest>,
) -> Result<pb::RedeliverHookDeliveriesResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}
