//! API tokens: CreateToken, ListTokens, RevokeToken.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::{caller::caller, page};
use tonic::{Request, Status};

use super::{call::call, page::cut, project::project};
use crate::{Auth, domain::Token, store::tokens::TokenPage};

pub(super) async fn create_token(
    auth: &Auth,
    request: Request<pb::CreateTokenRequest>,
) -> Result<pb::CreateTokenResponse, Status> {
    let call = call(&request)?;
    let caller = caller(&request);
    let project = match request.get_ref().project.as_str() {
        "" => None,
        reference => Some(project(auth, &request, reference).await?.id),
    };
    let wanted = request.into_inner().try_into()?;
    let (token, secret) = auth.create_token(call, &caller, wanted, project).await?;
    Ok(pb::CreateTokenResponse {
        token: Some(token.into()),
        secret: secret.map_or_else(String::new, |secret| secret.expose().to_owned()),
    })
}

pub(super) async fn list_tokens(
    auth: &Auth,
    request: Request<pb::ListTokensRequest>,
) -> Result<pb::ListTokensResponse, Status> {
    let caller = caller(&request);
    let request = request.get_ref();
    let size = page::size(request.page_size)?;
    let wanted = TokenPage {
        before: page::decode("page_token", &request.page_token)?,
        include_ended: request.include_ended,
        limit: size + 1,
    };
    let tokens = auth.list_tokens(&caller, wanted).await?;
    let (tokens, next_page_token) = cut(tokens, size, |token: &Token| page::encode(&token.id));
    Ok(pb::ListTokensResponse {
        tokens: tokens.into_iter().map(Into::into).collect(),
        next_page_token,
    })
}

pub(super) async fn revoke_token(
    auth: &Auth,
    request: Request<pb::RevokeTokenRequest>,
) -> Result<pb::RevokeTokenResponse, Status> {
    let call = call(&request)?;
    let caller = caller(&request);
    let reference = &request.get_ref().token;
    let token = auth.revoke_token(call, &caller, reference).await?;
    Ok(pb::RevokeTokenResponse {
        token: Some(token.into()),
    })
}
