//! A channel that adds the bearer token to each call. It refreshes a session's access token before it expires, and once
//! more when the server refuses it earlier. The new tokens go to the credentials file, under its lock.
use std::{
    error::Error,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use ck8s_proto::auth::v1::{RefreshSessionRequest, auth_service_client::AuthServiceClient};
use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tonic::{Code, Status, body::Body, codegen::Service, transport::Channel};

use crate::{
    credentials::{CredentialStore, SessionTokens, StoredCredential},
    error::{CliError, ExitStatus},
    target::Credential,
};

/// An access token that expires within this many seconds is refreshed before a call, so that it does not expire during
/// the call.
const REFRESH_AHEAD_SECONDS: i64 = 60;
/// Bounds one attempt to refresh. A second attempt must end within the 20 s for which the server answers a spent token
/// again, so that an answer that was lost does not end the session.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(8);

type StdError = Box<dyn Error + Send + Sync>;

/// A channel that adds the bearer token to each call.
#[derive(Clone)]
pub(crate) struct AuthChannel {
    channel: Channel,
    bearer: Bearer,
}

#[derive(Clone)]
enum Bearer {
    None,
    Token(HeaderValue),
    Session(Arc<StoredSession>),
}

/// A session, and the store that keeps it.
struct StoredSession {
    url: String,
    store: CredentialStore,
    tokens: Mutex<SessionTokens>,
}

impl AuthChannel {
    /// Wraps a channel.
    pub(crate) fn new(
        channel: Channel,
        url: &str,
        credential: &Credential,
    ) -> Result<Self, CliError> {
        let bearer = match credential {
            Credential::None => Bearer::None,
            Credential::Token(token) => Bearer::Token(header_value(token).ok_or_else(|| {
                CliError::usage(
                    "cannot use the token",
                    "it is not plain text",
                    "copy it again",
                )
            })?),
            Credential::Session(store, tokens) => Bearer::Session(Arc::new(StoredSession {
                url: url.to_owned(),
                store: store.clone(),
                tokens: Mutex::new(tokens.clone()),
            })),
        };
        Ok(Self { channel, bearer })
    }

    async fn send(self, request: Request<Body>) -> Result<Response<Body>, StdError> {
        let Self { channel, bearer } = self;
        let session = match bearer {
            Bearer::None => return forward(channel, request).await,
            Bearer::Token(value) => return forward(channel, with_bearer(request, value)).await,
            Bearer::Session(session) => session,
        };
        // This program sends no streams, so each request can be kept and sent again.
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let rebuild = |parts, body: &Bytes| {
            Request::from_parts(
                parts,
                Body::new(Full::new(body.clone()).map_err(|e| match e {})),
            )
        };
        let token = session.current_token(&channel).await?;
        let first = with_bearer(rebuild(parts.clone(), &body), bearer_header(&token)?);
        let response = forward(channel.clone(), first).await?;
        if !is_unauthenticated(&response) {
            return Ok(response);
        }
        let token = session.token_after_refusal(&channel, &token).await?;
        forward(
            channel,
            with_bearer(rebuild(parts, &body), bearer_header(&token)?),
        )
        .await
    }
}

impl Service<Request<Body>> for AuthChannel {
    type Response = Response<Body>;
    type Error = StdError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, StdError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        // `forward` waits for the channel once the bearer is known.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

impl StoredSession {
    /// Returns an access token that does not expire soon.
    async fn current_token(&self, channel: &Channel) -> Result<String, Status> {
        let mut tokens = self.tokens.lock().await;
        if tokens.expire_within(REFRESH_AHEAD_SECONDS) {
            *tokens = self.next_tokens(channel, &tokens).await?;
        }
        Ok(tokens.access_token.clone())
    }

    /// Returns another access token than the one that the server refused.
    async fn token_after_refusal(
        &self,
        channel: &Channel,
        refused: &str,
    ) -> Result<String, Status> {
        let mut tokens = self.tokens.lock().await;
        if tokens.access_token == refused {
            *tokens = self.next_tokens(channel, &tokens).await?;
        }
        Ok(tokens.access_token.clone())
    }

    /// Returns the next tokens: those that another command has stored in the meantime, else those that the refresh
    /// token gets.
    async fn next_tokens(
        &self,
        channel: &Channel,
        current: &SessionTokens,
    ) -> Result<SessionTokens, Status> {
        let store = self.store.clone();
        // Another command may hold the lock for as long as its refresh takes.
        let (locked, stored) = {
            let url = self.url.clone();
            tokio::task::spawn_blocking(move || {
                let locked = store.lock()?;
                let stored = store.get(&url)?;
                Ok::<_, CliError>((locked, stored))
            })
            .await
            .map_err(|e| Status::unknown(e.to_string()))?
            .map_err(|error| Status::unknown(error.to_string()))?
        };
        let Some(StoredCredential::Session(stored)) = stored else {
            return Err(Status::unauthenticated("you have signed out"));
        };
        if stored.access_token != current.access_token
            && !stored.expire_within(REFRESH_AHEAD_SECONDS)
        {
            return Ok(stored);
        }
        locked
            .check_writable()
            .map_err(|error| Status::unknown(error.to_string()))?;
        let mut next = refresh(channel, &stored.refresh_token).await;
        if next.as_ref().is_err_and(is_lost) {
            next = refresh(channel, &stored.refresh_token).await;
        }
        match next {
            Ok(tokens) => {
                locked
                    .renew(&self.url, tokens.clone())
                    .map_err(|error| Status::unknown(error.to_string()))?;
                Ok(tokens)
            }
            Err(status) if status.code() == Code::Unauthenticated => {
                locked
                    .remove(&self.url)
                    .map_err(|error| Status::unknown(error.to_string()))?;
                Err(Status::unauthenticated("your session has ended"))
            }
            Err(status) => Err(status),
        }
    }
}

/// Gets the next tokens for a refresh token.
async fn refresh(channel: &Channel, refresh_token: &str) -> Result<SessionTokens, Status> {
    let mut request = tonic::Request::new(RefreshSessionRequest {
        refresh_token: refresh_token.to_owned(),
    });
    request.set_timeout(REFRESH_TIMEOUT);
    let mut client = AuthServiceClient::new(channel.clone());
    let answer = client.refresh_session(request).await?.into_inner();
    Ok(answer.session.unwrap_or_default().into())
}

/// Returns whether no answer came, so that the server may have spent the token.
fn is_lost(status: &Status) -> bool {
    ExitStatus::from(status) == ExitStatus::Unavailable
}

async fn forward(mut channel: Channel, request: Request<Body>) -> Result<Response<Body>, StdError> {
    poll_fn(|cx| Service::<Request<Body>>::poll_ready(&mut channel, cx)).await?;
    Ok(channel.call(request).await?)
}

/// Adds the bearer, unless the call has its own.
fn with_bearer(mut request: Request<Body>, bearer: HeaderValue) -> Request<Body> {
    request.headers_mut().entry(AUTHORIZATION).or_insert(bearer);
    request
}

fn bearer_header(token: &str) -> Result<HeaderValue, Status> {
    header_value(&SecretString::from(token))
        .ok_or_else(|| Status::unauthenticated("the server's token is not plain text"))
}

fn header_value(token: &SecretString) -> Option<HeaderValue> {
    let text = format!("Bearer {}", token.expose_secret());
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Returns whether the server refused the bearer.
fn is_unauthenticated(response: &Response<Body>) -> bool {
    let status = response.headers().get("grpc-status");
    status.is_some_and(|status| *status == *(Code::Unauthenticated as i32).to_string())
}
