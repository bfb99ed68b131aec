//! The allow-list.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::page;
use tonic::{Request, Status};

use super::by;
use crate::Auth;

pub(super) async fn list_users(
    auth: &Auth,
    request: &Request<pb::ListUsersRequest>,
) -> Result<pb::ListUsersResponse, Status> {
    let request = request.get_ref();
    let size = page::size(request.page_size)?;
    let after = page::decode("page_token", &request.page_token)?;
    let users = auth.list_users(after, size + 1).await?;
    let key = |user: &crate::domain::User| page::encode(&user.email.to_lowercase());
    let (users, next_page_token) = super::cut(users, size, key);
    Ok(pb::ListUsersResponse {
        users: users.into_iter().map(Into::into).collect(),
        next_page_token,
    })
}

pub(super) async fn add_user(
    auth: &Auth,
    request: &Request<pb::AddUserRequest>,
) -> Result<pb::AddUserResponse, Status> {
    let asked = request.get_ref();
    let by = by(request, &asked.request_id)?;
    let added = auth.add_user(by, &asked.email, asked.platform_admin);
    Ok(added.await?)
}

pub(super) async fn update_user(
    auth: &Auth,
    request: &Request<pb::UpdateUserRequest>,
) -> Result<pb::UpdateUserResponse, Status> {
    let asked = request.get_ref();
    let by = by(request, &asked.request_id)?;
    Ok(auth.update_user(by, asked).await?)
}

pub(super) async fn remove_user(
    auth: &Auth,
    request: &Request<pb::RemoveUserRequest>,
) -> Result<pb::RemoveUserResponse, Status> {
    let asked = request.get_ref();
    let by = by(request, &asked.request_id)?;
    Ok(auth.remove_user(by, &asked.user).await?)
}
