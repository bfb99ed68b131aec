//! Members of a project: ListMembers, AddMember, UpdateMember, RemoveMember.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::{page, status};
use ck8s_types::ProjectRole;
use tonic::{Request, Status};

use super::{call::call, page::cut, project::project};
use crate::{Auth, convert, domain::Member};

pub(super) async fn list_members(
    auth: &Auth,
    request: Request<pb::ListMembersRequest>,
) -> Result<pb::ListMembersResponse, Status> {
    let message = request.get_ref();
    let size = page::size(message.page_size)?;
    let after = page::decode("page_token", &message.page_token)?;
    let project = project(auth, &request, &message.project).await?;
    let members = auth.list_members(project.id, after, size + 1).await?;
    let token = |member: &Member| page::encode(&member.email.to_lowercase());
    let (members, next_page_token) = cut(members, size, token);
    Ok(pb::ListMembersResponse {
        members: members.into_iter().map(Into::into).collect(),
        next_page_token,
    })
}

pub(super) async fn add_member(
    auth: &Auth,
    request: Request<pb::AddMemberRequest>,
) -> Result<pb::AddMemberResponse, Status> {
    let message = request.get_ref();
    let call = call(&request)?;
    let role = role(message.role)?;
    let project = project(auth, &request, &message.project).await?;
    let member = auth.add_member(call, &project, &message.user, role).await?;
    Ok(pb::AddMemberResponse {
        member: Some(member.into()),
    })
}

pub(super) async fn update_member(
    auth: &Auth,
    request: Request<pb::UpdateMemberRequest>,
) -> Result<pb::UpdateMemberResponse, Status> {
    let message = request.get_ref();
    let call = call(&request)?;
    let role = role(message.role)?;
    let project = project(auth, &request, &message.project).await?;
    let member = auth
        .update_member(call, &project, &message.user, role)
        .await?;
    Ok(pb::UpdateMemberResponse {
        member: Some(member.into()),
    })
}

pub(super) async fn remove_member(
    auth: &Auth,
    request: Request<pb::RemoveMemberRequest>,
) -> Result<pb::RemoveMemberResponse, Status> {
    let message = request.get_ref();
    let call = call(&request)?;
    let project = project(auth, &request, &message.project).await?;
    auth.remove_member(call, &project, &message.user).await?;
    Ok(pb::RemoveMemberResponse {})
}

fn role(role: i32) -> Result<ProjectRole, Status> {
    let missing = || status::invalid("role", "must be read, read_write or admin");
    convert::role("role", role)?.ok_or_else(missing)
}
