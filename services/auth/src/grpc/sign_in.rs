//! Sign-in: StartSignIn, FinishSignIn, StartDeviceSignIn, PollDeviceSignIn.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::convert::timestamp;
use tonic::{Request, Status};

use crate::{
    Auth,
    domain::{AuthorizationCallback, DevicePoll},
};

pub(super) async fn start_sign_in(
    auth: &Auth,
    request: Request<pb::StartSignInRequest>,
) -> Result<pb::StartSignInResponse, Status> {
    let started = auth.start_sign_in(request.into_inner().return_to).await?;
    Ok(pb::StartSignInResponse {
        authorize_url: started.authorize_url,
        browser_secret: started.browser_secret.expose().to_owned(),
        expires_in: i32::try_from(started.ttl.as_secs()).unwrap_or(0),
    })
}

pub(super) async fn finish_sign_in(
    auth: &Auth,
    request: Request<pb::FinishSignInRequest>,
) -> Result<pb::FinishSignInResponse, Status> {
    let request = request.get_ref();
    let callback = AuthorizationCallback {
        code: &request.code,
        state: &request.state,
        browser_secret: &request.browser_secret,
        error: &request.error,
    };
    let (session, return_to) = auth.finish_sign_in(callback).await?;
    Ok(pb::FinishSignInResponse {
        session: Some(session.into()),
        return_to,
    })
}

pub(super) async fn start_device_sign_in(
    auth: &Auth,
) -> Result<pb::StartDeviceSignInResponse, Status> {
    let started = auth.start_device_sign_in().await?;
    Ok(pb::StartDeviceSignInResponse {
        device_code: started.code.expose().to_owned(),
        user_code: started.user_code,
        verification_url: started.verification_url,
        interval: started.interval_seconds,
        expire_time: Some(timestamp(started.expires_at)),
    })
}

pub(super) async fn poll_device_sign_in(
    auth: &Auth,
    request: Request<pb::PollDeviceSignInRequest>,
) -> Result<pb::PollDeviceSignInResponse, Status> {
    let poll = auth
        .poll_device_sign_in(&request.get_ref().device_code)
        .await?;
    Ok(match poll {
        DevicePoll::Pending { interval_seconds } => pb::PollDeviceSignInResponse {
            session: None,
            interval: interval_seconds,
        },
        DevicePoll::SignedIn(session) => pb::PollDeviceSignInResponse {
            session: Some((*session).into()),
            interval: 0,
        },
    })
}
