//! Users: ListUsers, AddUser, UpdateUser, RemoveUser.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::page;
use tonic::{Request, Status};

use super::{call::call, page::cut};
use crate::{Auth, domain::User};

pub(super) async fn list_users(
    auth: &Auth,
    request: Request<pb::ListUsersRequest>,
) -> Result<pb::ListUsersResponse, Status> {
    let request = request.get_ref();
    let size = page::size(request.page_size)?;
    let after = page::decode("page_token", &request.page_token)?;
    let users = auth.list_users(after, size + 1).await?;
    let token = |user: &User| page::encode(&user.email.to_lowercase());
    let (users, next_page_token) = cut(users, size, token);
    Ok(pb::ListUsersResponse {
        users: users.into_iter().map(Into::into).collect(),
        next_page_token,
    })
}

pub(super) async fn add_user(
    auth: &Auth,
    request: Request<pb::AddUserRequest>,
) -> Result<pb::AddUserResponse, Status> {
    let message = request.get_ref();
    let call = call(&request)?;
    let user = auth
        .add_user(call, &message.email, message.platform_admin)
        .await?;
    Ok(pb::AddUserResponse {
        user: Some(user.into()),
    })
}

pub(super) async fn update_user(
    auth: &Auth,
    request: Request<pb::UpdateUserRequest>,
) -> Result<pb::UpdateUserResponse, Status> {
    let call = call(&request)?;
    let user = auth.update_user(call, request.into_inner().into()).await?;
    Ok(pb::UpdateUserResponse {
        user: Some(user.into()),
    })
}

pub(super) async fn remove_user(
    auth: &Auth,
    request: Request<pb::RemoveUserRequest>,
) -> Result<pb::RemoveUserResponse, Status> {
    let message = request.get_ref();
    let call = call(&request)?;
    auth.remove_user(call, &message.user).await?;
    Ok(pb::RemoveUserResponse {})
}
