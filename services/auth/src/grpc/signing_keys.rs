//! Signing keys and the key ring: ListSigningKeys, RotateSigningKey, Reseal.
use ck8s_proto::auth::v1 as pb;
use tonic::{Request, Status};

use super::call::call;
use crate::Auth;

pub(super) async fn list_signing_keys(auth: &Auth) -> Result<pb::ListSigningKeysResponse, Status> {
    let jwks = auth.list_signing_keys().await?;
    Ok(pb::ListSigningKeysResponse { jwks })
}

pub(super) async fn rotate_signing_key(
    auth: &Auth,
    request: Request<pb::RotateSigningKeyRequest>,
) -> Result<pb::RotateSigningKeyResponse, Status> {
    let call = call(&request)?;
    let retire_others = request.get_ref().retire_others;
    let key_id = auth.rotate_signing_key(call, retire_others).await?;
    Ok(pb::RotateSigningKeyResponse {
        key_id: key_id.to_string(),
    })
}

pub(super) async fn reseal(
    auth: &Auth,
    request: Request<pb::ResealRequest>,
) -> Result<pb::ResealResponse, Status> {
    let call = call(&request)?;
    Ok(auth.reseal(call).await?.into())
}
