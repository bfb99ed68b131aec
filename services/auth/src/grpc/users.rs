//! The allow-list.
use ck8s_proto::auth::v1 as pb;
use tonic::{Request, Status};

use crate::Auth;

pub(super) async fn list_users(
    _auth: &Auth,
    _request: Request<pb::ListUsersRequest>,
) -> Result<pb::ListUsersResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn add_user(
    _auth: &Auth,
    _request: Request<pb::AddUserRequest>,
) -> Result<pb::AddUserResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn update_user(
    _auth: &Auth,
    _request: Request<pb::UpdateUserRequest>,
) -> Result<pb::UpdateUserResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn remove_user(
    _auth: &Auth,
    _request: Request<pb::RemoveUserRequest>,
) -> Result<pb::RemoveUserResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}
