//! AuthService: each method is the function of the same name in the file of its resource.
use ck8s_proto::auth::v1::{self as pb, auth_service_server::AuthService};
use tonic::{Request, Response, Status};

use super::{authentication, sessions, sign_in, signing_keys, tokens, users, workers};
use crate::Auth;

#[async_trait::async_trait]
impl AuthService for Auth {
    async fn authenticate(
        &self,
        request: Request<pb::AuthenticateRequest>,
    ) -> Result<Response<pb::AuthenticateResponse>, Status> {
        authentication::authenticate(self, request)
            .await
            .map(Response::new)
    }

    async fn record_denial(
        &self,
        request: Request<pb::RecordDenialRequest>,
    ) -> Result<Response<pb::RecordDenialResponse>, Status> {
        authentication::record_denial(self, request)
            .await
            .map(Response::new)
    }

    async fn who_am_i(
        &self,
        request: Request<pb::WhoAmIRequest>,
    ) -> Result<Response<pb::WhoAmIResponse>, Status> {
        Ok(Response::new(authentication::who_am_i(&request)))
    }

    async fn redeem_link(
        &self,
        request: Request<pb::RedeemLinkRequest>,
    ) -> Result<Response<pb::RedeemLinkResponse>, Status> {
        sessions::redeem_link(self, request)
            .await
            .map(Response::new)
    }

    async fn create_token(
        &self,
        request: Request<pb::CreateTokenRequest>,
    ) -> Result<Response<pb::CreateTokenResponse>, Status> {
        tokens::create_token(self, request).await.map(Response::new)
    }

    async fn list_tokens(
        &self,
        request: Request<pb::ListTokensRequest>,
    ) -> Result<Response<pb::ListTokensResponse>, Status> {
        tokens::list_tokens(self, request).await.map(Response::new)
    }

    async fn revoke_token(
        &self,
        request: Request<pb::RevokeTokenRequest>,
    ) -> Result<Response<pb::RevokeTokenResponse>, Status> {
        tokens::revoke_token(self, request).await.map(Response::new)
    }

    async fn join_worker(
        &self,
        request: Request<pb::JoinWorkerRequest>,
    ) -> Result<Response<pb::JoinWorkerResponse>, Status> {
        workers::join_worker(self, request).await.map(Response::new)
    }

    async fn renew_worker_certificate(
        &self,
        request: Request<pb::RenewWorkerCertificateRequest>,
    ) -> Result<Response<pb::RenewWorkerCertificateResponse>, Status> {
        workers::renew_worker_certificate(self, request)
            .await
            .map(Response::new)
    }

    async fn start_sign_in(
        &self,
        request: Request<pb::StartSignInRequest>,
    ) -> Result<Response<pb::StartSignInResponse>, Status> {
        sign_in::start_sign_in(self, request)
            .await
            .map(Response::new)
    }

    async fn finish_sign_in(
        &self,
        request: Request<pb::FinishSignInRequest>,
    ) -> Result<Response<pb::FinishSignInResponse>, Status> {
        sign_in::finish_sign_in(self, request)
            .await
            .map(Response::new)
    }

    async fn start_device_sign_in(
        &self,
        _request: Request<pb::StartDeviceSignInRequest>,
    ) -> Result<Response<pb::StartDeviceSignInResponse>, Status> {
        sign_in::start_device_sign_in(self).await.map(Response::new)
    }

    async fn poll_device_sign_in(
        &self,
        request: Request<pb::PollDeviceSignInRequest>,
    ) -> Result<Response<pb::PollDeviceSignInResponse>, Status> {
        sign_in::poll_device_sign_in(self, request)
            .await
            .map(Response::new)
    }

    async fn refresh_session(
        &self,
        request: Request<pb::RefreshSessionRequest>,
    ) -> Result<Response<pb::RefreshSessionResponse>, Status> {
        sessions::refresh_session(self, request)
            .await
            .map(Response::new)
    }

    async fn sign_out(
        &self,
        request: Request<pb::SignOutRequest>,
    ) -> Result<Response<pb::SignOutResponse>, Status> {
        sessions::sign_out(self, request).await.map(Response::new)
    }

    async fn list_signing_keys(
        &self,
        _request: Request<pb::ListSigningKeysRequest>,
    ) -> Result<Response<pb::ListSigningKeysResponse>, Status> {
        signing_keys::list_signing_keys(self)
            .await
            .map(Response::new)
    }

    async fn rotate_signing_key(
        &self,
        request: Request<pb::RotateSigningKeyRequest>,
    ) -> Result<Response<pb::RotateSigningKeyResponse>, Status> {
        signing_keys::rotate_signing_key(self, request)
            .await
            .map(Response::new)
    }

    async fn reseal(
        &self,
        request: Request<pb::ResealRequest>,
    ) -> Result<Response<pb::ResealResponse>, Status> {
        signing_keys::reseal(self, request).await.map(Response::new)
    }

    async fn list_users(
        &self,
        request: Request<pb::ListUsersRequest>,
    ) -> Result<Response<pb::ListUsersResponse>, Status> {
        users::list_users(self, request).await.map(Response::new)
    }

    async fn add_user(
        &self,
        request: Request<pb::AddUserRequest>,
    ) -> Result<Response<pb::AddUserResponse>, Status> {
        users::add_user(self, request).await.map(Response::new)
    }

    async fn update_user(
        &self,
        request: Request<pb::UpdateUserRequest>,
    ) -> Result<Response<pb::UpdateUserResponse>, Status> {
        users::update_user(self, request).await.map(Response::new)
    }

    async fn remove_user(
        &self,
        request: Request<pb::RemoveUserRequest>,
    ) -> Result<Response<pb::RemoveUserResponse>, Status> {
        users::remove_user(self, request).await.map(Response::new)
    }
}
