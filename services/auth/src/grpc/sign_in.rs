//! Sign-in and sessions.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::convert::timestamp;
use tonic::{Request, Status, metadata::MetadataMap};

use super::by;
use crate::{
    Auth,
    service::{CameBack, LIFE, Poll},
};

pub(super) async fn start_sign_in(
    auth: &Auth,
    request: Request<pb::StartSignInRequest>,
) -> Result<pb::StartSignInResponse, Status> {
    let started = auth.start_sign_in(request.into_inner().return_to).await?;
    Ok(pb::StartSignInResponse {
        authorize_url: started.authorize_url,
        browser_secret: started.browser.expose().to_owned(),
        expires_in: i32::try_from(LIFE.as_secs()).unwrap_or(0),
    })
}

pub(super) async fn finish_sign_in(
    auth: &Auth,
    request: Request<pb::FinishSignInRequest>,
) -> Result<pb::FinishSignInResponse, Status> {
    let request = request.get_ref();
    let back = CameBack {
        code: &request.code,
        state: &request.state,
        browser: &request.browser_secret,
        error: &request.error,
    };
    let (session, return_to) = auth.finish_sign_in(back).await?;
    Ok(pb::FinishSignInResponse {
        session: Some(session.into()),
        return_to,
    })
}

pub(super) async fn start_device_sign_in(
    auth: &Auth,
    _request: Request<pb::StartDeviceSignInRequest>,
) -> Result<pb::StartDeviceSignInResponse, Status> {
    let started = auth.start_device().await?;
    Ok(pb::StartDeviceSignInResponse {
        device_code: started.code.expose().to_owned(),
        user_code: started.user_code,
        verification_url: started.verification_url,
        interval: started.interval,
        expire_time: Some(timestamp(started.expires_at)),
    })
}

pub(super) async fn poll_device_sign_in(
    auth: &Auth,
    request: Request<pb::PollDeviceSignInRequest>,
) -> Result<pb::PollDeviceSignInResponse, Status> {
    Ok(
        match auth.poll_device(&request.get_ref().device_code).await? {
            Poll::Wait(interval) => pb::PollDeviceSignInResponse {
                session: None,
                interval,
            },
            Poll::Done(session) => pb::PollDeviceSignInResponse {
                session: Some((*session).into()),
                interval: 0,
            },
        },
    )
}

pub(super) async fn refresh_session(
    auth: &Auth,
    request: Request<pb::RefreshSessionRequest>,
) -> Result<pb::RefreshSessionResponse, Status> {
    let session = auth
        .refresh_session(&request.get_ref().refresh_token)
        .await?;
    Ok(pb::RefreshSessionResponse {
        session: Some(session.into()),
    })
}

pub(super) async fn sign_out(
    auth: &Auth,
    request: Request<pb::SignOutRequest>,
) -> Result<pb::SignOutResponse, Status> {
    let token = &request.get_ref().refresh_token;
    if !token.is_empty() {
        auth.sign_out(token).await?;
    } else if let Some(access_token) = access_token(request.metadata()) {
        auth.sign_out_bearer(access_token).await?;
    }
    Ok(pb::SignOutResponse {})
}

/// The access token that a call came with; an API token is no session.
fn access_token(metadata: &MetadataMap) -> Option<&str> {
    let value = metadata.get("authorization")?.to_str().ok()?;
    let (_, token) = value.split_once(' ')?;
    (!token.starts_with("ck8s_")).then_some(token)
}

pub(super) async fn list_signing_keys(
    auth: &Auth,
    _request: Request<pb::ListSigningKeysRequest>,
) -> Result<pb::ListSigningKeysResponse, Status> {
    let jwks = auth.signing_keys().await?;
    Ok(pb::ListSigningKeysResponse { jwks })
}

pub(super) async fn rotate_signing_key(
    auth: &Auth,
    request: Request<pb::RotateSigningKeyRequest>,
) -> Result<pb::RotateSigningKeyResponse, Status> {
    let by = by(&request, &request.get_ref().request_id)?;
    let retire_others = request.get_ref().retire_others;
    Ok(auth.rotate_signing_key(by, retire_others).await?)
}

pub(super) async fn reseal(
    auth: &Auth,
    request: &Request<pb::ResealRequest>,
) -> Result<pb::ResealResponse, Status> {
    let by = by(request, &request.get_ref().request_id)?;
    Ok(auth.reseal(by).await?)
}
