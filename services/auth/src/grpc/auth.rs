//! AuthService.
use ck8s_pki::Issued;
use ck8s_proto::auth::v1::{self as pb, auth_service_server::AuthService};
use ck8s_rpc::{caller::caller, convert::id, page, status};
use ck8s_types::WorkerId;
use tonic::{Request, Response, Status};

use super::{by, sign_in, users};
use crate::{Auth, convert, store::tokens::Page};

#[async_trait::async_trait]
impl AuthService for Auth {
    async fn authenticate(
        &self,
        request: Request<pb::AuthenticateRequest>,
    ) -> Result<Response<pb::AuthenticateResponse>, Status> {
        let token = &request.get_ref().token;
        if !token.starts_with("ck8s_") {
            return Ok(Response::new(self.authenticate_access(token).await?.into()));
        }
        let known = Auth::authenticate(self, token).await?;
        Ok(Response::new(known.into()))
    }

    async fn record_denial(
        &self,
        request: Request<pb::RecordDenialRequest>,
    ) -> Result<Response<pb::RecordDenialResponse>, Status> {
        let request = request.get_ref();
        let user_id = id("user_id", &request.user_id)?;
        Auth::record_denial(self, user_id, &request.method).await?;
        Ok(Response::new(pb::RecordDenialResponse {}))
    }

    async fn who_am_i(
        &self,
        request: Request<pb::WhoAmIRequest>,
    ) -> Result<Response<pb::WhoAmIResponse>, Status> {
        Ok(Response::new(convert::who_am_i(caller(&request))))
    }

    async fn redeem_link(
        &self,
        request: Request<pb::RedeemLinkRequest>,
    ) -> Result<Response<pb::RedeemLinkResponse>, Status> {
        let session = Auth::redeem_link(self, &request.get_ref().code).await?;
        let session = pb::Session::from(session);
        Ok(Response::new(pb::RedeemLinkResponse {
            token: session.access_token.clone(),
            expire_time: session.access_expire_time,
            session: Some(session),
        }))
    }

    async fn create_token(
        &self,
        request: Request<pb::CreateTokenRequest>,
    ) -> Result<Response<pb::CreateTokenResponse>, Status> {
        let by = by(&request, &request.get_ref().request_id)?;
        let caller = caller(&request);
        let project = match request.get_ref().project.as_str() {
            "" => None,
            named => Some(super::project(self, &request, named).await?.id),
        };
        let wanted = request.into_inner().try_into()?;
        let created = Auth::create_token(self, by, &caller, wanted, project).await?;
        Ok(Response::new(created))
    }

    async fn list_tokens(
        &self,
        request: Request<pb::ListTokensRequest>,
    ) -> Result<Response<pb::ListTokensResponse>, Status> {
        let caller = caller(&request);
        let request = request.get_ref();
        let size = page::size(request.page_size)?;
        let asked = Page {
            before: page::decode("page_token", &request.page_token)?,
            include_ended: request.include_ended,
            limit: size + 1,
        };
        let tokens = Auth::list_tokens(self, &caller, asked).await?;
        let (tokens, next_page_token) = super::cut(tokens, size, |token| page::encode(&token.id));
        Ok(Response::new(pb::ListTokensResponse {
            tokens: tokens.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }

    async fn revoke_token(
        &self,
        request: Request<pb::RevokeTokenRequest>,
    ) -> Result<Response<pb::RevokeTokenResponse>, Status> {
        let by = by(&request, &request.get_ref().request_id)?;
        let caller = caller(&request);
        let revoked = Auth::revoke_token(self, by, &caller, &request.get_ref().token).await?;
        Ok(Response::new(revoked))
    }

    async fn join_worker(
        &self,
        request: Request<pb::JoinWorkerRequest>,
    ) -> Result<Response<pb::JoinWorkerResponse>, Status> {
        let request = request.get_ref();
        let worker: WorkerId = request
            .worker_id
            .parse()
            .map_err(|_| status::invalid("worker_id", "1 to 100 of a-z, A-Z, 0-9, . - _"))?;
        let csr = &request.certificate_request;
        let Issued {
            certificate,
            authority,
            until,
        } = Auth::join_worker(self, &request.token, &worker, csr).await?;
        Ok(Response::new(pb::JoinWorkerResponse {
            certificate,
            authority,
            expire_time: Some(until.into()),
        }))
    }

    async fn renew_worker_certificate(
        &self,
        request: Request<pb::RenewWorkerCertificateRequest>,
    ) -> Result<Response<pb::RenewWorkerCertificateResponse>, Status> {
        let who = caller(&request);
        let csr = &request.get_ref().certificate_request;
        let Issued {
            certificate,
            authority,
            until,
        } = Auth::renew_worker_certificate(self, &who, csr).await?;
        Ok(Response::new(pb::RenewWorkerCertificateResponse {
            certificate,
            authority,
            expire_time: Some(until.into()),
        }))
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
        request: Request<pb::StartDeviceSignInRequest>,
    ) -> Result<Response<pb::StartDeviceSignInResponse>, Status> {
        sign_in::start_device_sign_in(self, request)
            .await
            .map(Response::new)
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
        sign_in::refresh_session(self, request)
            .await
            .map(Response::new)
    }

    async fn sign_out(
        &self,
        request: Request<pb::SignOutRequest>,
    ) -> Result<Response<pb::SignOutResponse>, Status> {
        sign_in::sign_out(self, request).await.map(Response::new)
    }

    async fn list_signing_keys(
        &self,
        request: Request<pb::ListSigningKeysRequest>,
    ) -> Result<Response<pb::ListSigningKeysResponse>, Status> {
        sign_in::list_signing_keys(self, request)
            .await
            .map(Response::new)
    }

    async fn rotate_signing_key(
        &self,
        request: Request<pb::RotateSigningKeyRequest>,
    ) -> Result<Response<pb::RotateSigningKeyResponse>, Status> {
        sign_in::rotate_signing_key(self, request)
            .await
            .map(Response::new)
    }

    async fn reseal(
        &self,
        request: Request<pb::ResealRequest>,
    ) -> Result<Response<pb::ResealResponse>, Status> {
        sign_in::reseal(self, &request).await.map(Response::new)
    }

    async fn list_users(
        &self,
        request: Request<pb::ListUsersRequest>,
    ) -> Result<Response<pb::ListUsersResponse>, Status> {
        users::list_users(self, &request).await.map(Response::new)
    }

    async fn add_user(
        &self,
        request: Request<pb::AddUserRequest>,
    ) -> Result<Response<pb::AddUserResponse>, Status> {
        users::add_user(self, &request).await.map(Response::new)
    }

    async fn update_user(
        &self,
        request: Request<pb::UpdateUserRequest>,
    ) -> Result<Response<pb::UpdateUserResponse>, Status> {
        users::update_user(self, &request).await.map(Response::new)
    }

    async fn remove_user(
        &self,
        request: Request<pb::RemoveUserRequest>,
    ) -> Result<Response<pb::RemoveUserResponse>, Status> {
        users::remove_user(self, &request).await.map(Response::new)
    }
}
