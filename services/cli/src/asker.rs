//! Who asks: puts the bearer on each call. A session's access token is refreshed before it ends, and once more when the server refuses it
//! before its time; the refresh token changes with that, in the credentials' file, under its lock.
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
    credentials::{Kept, Store, Tokens},
    fault::Fault,
    global::Who,
};

/// An access token that ends within so many seconds is refreshed first: a call needs it for a while.
const AHEAD: i64 = 60;
/// A refresh takes no longer; so nobody waits longer for the lock.
const REFRESH: Duration = Duration::from_secs(20);

type StdError = Box<dyn Error + Send + Sync>;

/// A channel on which every call says who asks.
#[derive(Clone)]
pub(crate) struct Asker {
    channel: Channel,
    bearer: Bearer,
}

#[derive(Clone)]
enum Bearer {
    Nobody,
    Token(HeaderValue),
    Session(Arc<Keeper>),
}

/// A session and where it is kept.
struct Keeper {
    url: String,
    store: Store,
    tokens: Mutex<Tokens>,
}

impl Asker {
    /// Over this channel.
    pub(crate) fn new(channel: Channel, url: &str, who: &Who) -> Result<Self, Fault> {
        let bearer = match who {
            Who::Nobody => Bearer::Nobody,
            Who::Token(token) => Bearer::Token(header(token).ok_or_else(|| {
                Fault::usage(
                    "cannot use the token",
                    "it is not plain text",
                    "copy it again",
                )
            })?),
            Who::SignedIn(store, tokens) => Bearer::Session(Arc::new(Keeper {
                url: url.to_owned(),
                store: store.clone(),
                tokens: Mutex::new(tokens.clone()),
            })),
        };
        Ok(Self { channel, bearer })
    }

    async fn send(self, request: Request<Body>) -> Result<Response<Body>, StdError> {
        let Self { channel, bearer } = self;
        let keeper = match bearer {
            Bearer::Nobody => return pass(channel, request).await,
            Bearer::Token(value) => return pass(channel, with(request, value)).await,
            Bearer::Session(keeper) => keeper,
        };
        // All messages of this program go out whole, so they can be sent again.
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let again = |parts, body: &Bytes| {
            Request::from_parts(
                parts,
                Body::new(Full::new(body.clone()).map_err(|e| match e {})),
            )
        };
        let token = keeper.fresh(&channel).await?;
        let first = with(again(parts.clone(), &body), bearer_of(&token)?);
        let answer = pass(channel.clone(), first).await?;
        if !refused(&answer) {
            return Ok(answer);
        }
        let token = keeper.renewed(&channel, &token).await?;
        pass(channel, with(again(parts, &body), bearer_of(&token)?)).await
    }
}

impl Service<Request<Body>> for Asker {
    type Response = Response<Body>;
    type Error = StdError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, StdError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        // The channel is waited for once the bearer is known.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

impl Keeper {
    /// An access token that is good for a while.
    async fn fresh(&self, channel: &Channel) -> Result<String, Status> {
        let mut tokens = self.tokens.lock().await;
        if tokens.end_within(AHEAD) {
            *tokens = self.next(channel, &tokens).await?;
        }
        Ok(tokens.access_token.clone())
    }

    /// Another one than that which the server refused.
    async fn renewed(&self, channel: &Channel, refused: &str) -> Result<String, Status> {
        let mut tokens = self.tokens.lock().await;
        if tokens.access_token == refused {
            *tokens = self.next(channel, &tokens).await?;
        }
        Ok(tokens.access_token.clone())
    }

    /// The next tokens: another command's, if there was one in between, else for the refresh token.
    async fn next(&self, channel: &Channel, mine: &Tokens) -> Result<Tokens, Status> {
        let store = self.store.clone();
        // The lock may be another command's for as long as its refresh takes.
        let (held, kept) = {
            let url = self.url.clone();
            tokio::task::spawn_blocking(move || {
                let held = store.hold()?;
                let kept = store.of(&url)?;
                Ok::<_, Fault>((held, kept))
            })
            .await
            .map_err(|e| Status::unknown(e.to_string()))?
            .map_err(|fault| Status::unknown(fault.to_string()))?
        };
        let Some(Kept::Session(kept)) = kept else {
            return Err(Status::unauthenticated("you have signed out"));
        };
        if kept.access_token != mine.access_token && !kept.end_within(AHEAD) {
            return Ok(kept);
        }
        let mut request = tonic::Request::new(RefreshSessionRequest {
            refresh_token: kept.refresh_token,
        });
        request.set_timeout(REFRESH);
        let answer = AuthServiceClient::new(channel.clone())
            .refresh_session(request)
            .await;
        let changed = match answer {
            Ok(answer) => {
                let tokens: Tokens = answer.into_inner().session.unwrap_or_default().into();
                held.renew(&self.url, tokens.clone()).map(|()| tokens)
            }
            Err(status) if status.code() == Code::Unauthenticated => {
                held.forget(&self.url)
                    .map_err(|fault| Status::unknown(fault.to_string()))?;
                return Err(Status::unauthenticated("your session has ended"));
            }
            Err(status) => return Err(status),
        };
        changed.map_err(|fault| Status::unknown(fault.to_string()))
    }
}

async fn pass(mut channel: Channel, request: Request<Body>) -> Result<Response<Body>, StdError> {
    poll_fn(|cx| Service::<Request<Body>>::poll_ready(&mut channel, cx)).await?;
    Ok(channel.call(request).await?)
}

/// With the bearer, unless the call brings its own.
fn with(mut request: Request<Body>, bearer: HeaderValue) -> Request<Body> {
    request.headers_mut().entry(AUTHORIZATION).or_insert(bearer);
    request
}

fn bearer_of(token: &str) -> Result<HeaderValue, Status> {
    header(&SecretString::from(token))
        .ok_or_else(|| Status::unauthenticated("the server's token is not plain text"))
}

fn header(token: &SecretString) -> Option<HeaderValue> {
    let text = format!("Bearer {}", token.expose_secret());
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether the server took the bearer for nobody's.
fn refused(answer: &Response<Body>) -> bool {
    let status = answer.headers().get("grpc-status");
    status.is_some_and(|status| *status == *(Code::Unauthenticated as i32).to_string())
}
