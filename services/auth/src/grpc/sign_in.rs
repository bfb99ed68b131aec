//! Sign-in and sessions.
use ck8s_proto::auth::v1 as pb;
use tonic::{Request, Status};

use crate::Auth;

pub(super) async fn start_sign_in(
    _auth: &Auth,
    _request: Request<pb::StartSignInRequest>,
) -> Result<pb::StartSignInResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn finish_sign_in(
    _auth: &Auth,
    _request: Request<pb::FinishSignInRequest>,
) -> Result<pb::FinishSignInResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn start_device_sign_in(
    _auth: &Auth,
    _request: Request<pb::StartDeviceSignInRequest>,
) -> Result<pb::StartDeviceSignInResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn poll_device_sign_in(
    _auth: &Auth,
    _request: Request<pb::PollDeviceSignInRequest>,
) -> Result<pb::PollDeviceSignInResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn refresh_session(
    _auth: &Auth,
    _request: Request<pb::RefreshSessionRequest>,
) -> Result<pb::RefreshSessionResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn sign_out(
    _auth: &Auth,
    _request: Request<pb::SignOutRequest>,
) -> Result<pb::SignOutResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn list_signing_keys(
    _auth: &Auth,
    _request: Request<pb::ListSigningKeysRequest>,
) -> Result<pb::ListSigningKeysResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn rotate_signing_key(
    _auth: &Auth,
    _request: Request<pb::RotateSigningKeyRequest>,
) -> Result<pb::RotateSigningKeyResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}
