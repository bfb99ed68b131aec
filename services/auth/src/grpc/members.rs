//! A project's members.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::{page, status};
use ck8s_types::ProjectRole;
use tonic::{Request, Status};

use super::{by, project};
use crate::{Auth, convert, domain::Member};

pub(super) async fn list_members(
    auth: &Auth,
    request: &Request<pb::ListMembersRequest>,
) -> Result<pb::ListMembersResponse, Status> {
    let asked = request.get_ref();
    let size = page::size(asked.page_size)?;
    let after = page::decode("page_token", &asked.page_token)?;
    let project = project(auth, request, &asked.project).await?;
    let members = auth.list_members(project.id, after, size + 1).await?;
    let key = |member: &Member| page::encode(&member.email.to_lowercase());
    let (members, next_page_token) = super::cut(members, size, key);
    Ok(pb::ListMembersResponse {
        members: members.into_iter().map(Into::into).collect(),
        next_page_token,
    })
}

pub(super) async fn add_member(
    auth: &Auth,
    request: &Request<pb::AddMemberRequest>,
) -> Result<pb::AddMemberResponse, Status> {
    let asked = request.get_ref();
    let (by, role) = (by(request, &asked.request_id)?, role(asked.role)?);
    let project = project(auth, request, &asked.project).await?;
    Ok(auth.add_member(by, &project, &asked.user, role).await?)
}

pub(super) async fn update_member(
    auth: &Auth,
    request: &Request<pb::UpdateMemberRequest>,
) -> Result<pb::UpdateMemberResponse, Status> {
    let asked = request.get_ref();
    let (by, role) = (by(request, &asked.request_id)?, role(asked.role)?);
    let project = project(auth, request, &asked.project).await?;
    Ok(auth.update_member(by, &project, &asked.user, role).await?)
}

pub(super) async fn remove_member(
    auth: &Auth,
    request: &Request<pb::RemoveMemberRequest>,
) -> Result<pb::RemoveMemberResponse, Status> {
    let asked = request.get_ref();
    let by = by(request, &asked.request_id)?;
    let project = project(auth, request, &asked.project).await?;
    Ok(auth.remove_member(by, &project, &asked.user).await?)
}

fn role(role: i32) -> Result<ProjectRole, Status> {
    let missing = || status::invalid("role", "must be read, read_write or admin");
    convert::role("role", role)?.ok_or_else(missing)
}
