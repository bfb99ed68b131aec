//! Who a caller is: Authenticate, WhoAmI, RecordDenial.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::{caller::caller, convert::id};
use tonic::{Request, Status};

use crate::{Auth, convert};

/// How API tokens begin; any other token is an access token.
const API_TOKEN_PREFIX: &str = "ck8s_";

pub(super) async fn authenticate(
    auth: &Auth,
    request: Request<pb::AuthenticateRequest>,
) -> Result<pb::AuthenticateResponse, Status> {
    let token = &request.get_ref().token;
    if token.starts_with(API_TOKEN_PREFIX) {
        return Ok(auth.authenticate_api_token(token).await?.into());
    }
    Ok(auth.authenticate_access_token(token).await?.into())
}

pub(super) async fn record_denial(
    auth: &Auth,
    request: Request<pb::RecordDenialRequest>,
) -> Result<pb::RecordDenialResponse, Status> {
    let request = request.get_ref();
    let user_id = id("user_id", &request.user_id)?;
    auth.record_denial(user_id, &request.method).await?;
    Ok(pb::RecordDenialResponse {})
}

pub(super) fn who_am_i(request: &Request<pb::WhoAmIRequest>) -> pb::WhoAmIResponse {
    convert::who_am_i(caller(request))
}

/// Returns the access token of a call; none if it came with an API token or without one.
pub(super) fn access_token<T>(request: &Request<T>) -> Option<&str> {
    let value = request.metadata().get("authorization")?.to_str().ok()?;
    let (_, token) = value.split_once(' ')?;
    (!token.starts_with(API_TOKEN_PREFIX)).then_some(token)
}
