//! A project's members.
use ck8s_proto::auth::v1 as pb;
use tonic::{Request, Status};

use crate::Auth;

pub(super) async fn list_members(
    _auth: &Auth,
    _request: Request<pb::ListMembersRequest>,
) -> Result<pb::ListMembersResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn add_member(
    _auth: &Auth,
    _request: Request<pb::AddMemberRequest>,
) -> Result<pb::AddMemberResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn update_member(
    _auth: &Auth,
    _request: Request<pb::UpdateMemberRequest>,
) -> Result<pb::UpdateMemberResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn remove_member(
    _auth: &Auth,
    _request: Request<pb::RemoveMemberRequest>,
) -> Result<pb::RemoveMemberResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}
