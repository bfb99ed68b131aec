//! Sessions: RedeemLink, RefreshSession, SignOut.
use ck8s_proto::auth::v1 as pb;
use tonic::{Request, Status};

use super::authentication::access_token;
use crate::Auth;

pub(super) async fn redeem_link(
    auth: &Auth,
    request: Request<pb::RedeemLinkRequest>,
) -> Result<pb::RedeemLinkResponse, Status> {
    let session = auth.redeem_link(&request.get_ref().code).await?;
    let session = pb::Session::from(session);
    Ok(pb::RedeemLinkResponse {
        token: session.access_token.clone(),
        expire_time: session.access_expire_time,
        session: Some(session),
    })
}

pub(super) async fn refresh_session(
    auth: &Auth,
    request: Request<pb::RefreshSessionRequest>,
) -> Result<pb::RefreshSessionResponse, Status> {
    let token = &request.get_ref().refresh_token;
    let session = auth.refresh_session(token).await?;
    Ok(pb::RefreshSessionResponse {
        session: Some(session.into()),
    })
}

pub(super) async fn sign_out(
    auth: &Auth,
    request: Request<pb::SignOutRequest>,
) -> Result<pb::SignOutResponse, Status> {
    let refresh_token = &request.get_ref().refresh_token;
    if !refresh_token.is_empty() {
        auth.sign_out(refresh_token).await?;
    } else if let Some(access_token) = access_token(&request) {
        auth.sign_out_bearer(access_token).await?;
    }
    Ok(pb::SignOutResponse {})
}
