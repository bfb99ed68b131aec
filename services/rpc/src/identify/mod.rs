//! Whose a bearer token is: AuthService and RunsService say it over the mesh, and it is cached for less than half a
//! second. Made-up tokens are counted by address, and cost others little.
mod unproven;

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use ck8s_proto::{
    auth::v1::{self as auth, auth_service_client::AuthServiceClient},
    runs::v1::{self as runs, runs_service_client::RunsServiceClient},
};
use ck8s_types::UserId;
use moka::future::Cache;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tonic::{Code, Status};

use self::unproven::{DEFAULT_FAILURE_RATE, TokenHash, UnprovenTokens};
use crate::{
    Caller,
    caller::{Credential, Projects, SignedIn},
    convert::role_from_pb,
    mesh::Channel,
};

/// How long a token's caller is cached. A revoked token is refused, and its open streams end, within twice this: that
/// is to be within a second.
pub(crate) const CACHE_TTL: Duration = Duration::from_millis(400);
/// Bounds the tokens that are cached. Made-up ones are not among them.
const MAX_CACHED_TOKENS: u64 = 10_000;
/// No API token is longer; a longer one is not worth a call.
const MAX_TOKEN_BYTES: usize = 200;
/// No access token (a JWT) is longer.
const MAX_JWT_BYTES: usize = 4096;
/// Bounds a call to the service that owns a token: callers wait for it.
const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why it is not known whose a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdentifyError {
    /// Nobody's: made up, expired or revoked.
    #[error("unknown token")]
    Unknown,
    /// The service that owns the token did not respond.
    #[error("tokens cannot be checked now")]
    Unavailable,
    /// Too many unknown tokens came from the same address. It may come back after this.
    #[error("too many unknown tokens")]
    TooMany(Duration),
}

/// Says whose a bearer token is.
#[async_trait]
pub trait Identify: Send + Sync {
    /// Returns whose `bearer` (the token alone) is. `from` is the address that sent it, where strangers can.
    async fn identify(&self, bearer: &str, from: Option<IpAddr>) -> Result<Caller, IdentifyError>;

    /// Records that a person was refused, if that can be done.
    async fn denied(&self, user_id: UserId, method: &str);
}

/// Asks the services that own the tokens. Concurrent requests with one token ask once.
pub struct MeshIdentify {
    auth: AuthServiceClient<Channel>,
    runs: RunsServiceClient<Channel>,
    callers: Cache<TokenHash, Caller>,
    unproven: UnprovenTokens,
}

impl MeshIdentify {
    /// Over this channel, on which the caller is a role of the mesh.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        let channel = channel.with_timeout(IDENTIFY_TIMEOUT);
        Self {
            auth: AuthServiceClient::new(channel.clone()),
            runs: RunsServiceClient::new(channel),
            callers: Cache::builder()
                .max_capacity(MAX_CACHED_TOKENS)
                .time_to_live(CACHE_TTL)
                .build(),
            unproven: UnprovenTokens::new(DEFAULT_FAILURE_RATE, CACHE_TTL),
        }
    }

    /// With so many unknown tokens of one address in a minute, a third of them at once; 0: no limit.
    #[must_use]
    pub fn with_failure_rate(self, failure_rate: u32) -> Self {
        Self {
            unproven: UnprovenTokens::new(failure_rate, CACHE_TTL),
            ..self
        }
    }

    /// Looks a token up, and remembers whether it is somebody's.
    async fn look_up(&self, bearer: &str, hash: TokenHash) -> Result<Caller, IdentifyError> {
        let _place = match self.unproven.is_proven(&hash) {
            true => None,
            false => Some(
                self.unproven
                    .place()
                    .await
                    .ok_or(IdentifyError::Unavailable)?,
            ),
        };
        let looked_up = self.ask(bearer).await;
        match &looked_up {
            Ok(_) => self.unproven.prove(hash),
            Err(IdentifyError::Unknown) => self.unproven.refute(hash),
            Err(IdentifyError::Unavailable | IdentifyError::TooMany(_)) => {}
        }
        looked_up
    }

    async fn ask(&self, bearer: &str) -> Result<Caller, IdentifyError> {
        match tokio::time::timeout(IDENTIFY_TIMEOUT, self.ask_owner(bearer)).await {
            Ok(Ok(caller)) => caller.ok_or(IdentifyError::Unknown),
            Ok(Err(status)) if means_unknown(status.code()) => Err(IdentifyError::Unknown),
            Ok(Err(status)) => {
                tracing::warn!(code = ?status.code(), message = status.message(), "a token cannot be checked");
                Err(IdentifyError::Unavailable)
            }
            Err(_) => Err(IdentifyError::Unavailable),
        }
    }

    async fn ask_owner(&self, bearer: &str) -> Result<Option<Caller>, Status> {
        let token = bearer.to_owned();
        if bearer.starts_with("ck8s_run_") {
            let request = runs::AuthenticateRunRequest { token };
            let response = self.runs.clone().authenticate_run(request).await?;
            return Ok(run_caller(&response.into_inner()));
        }
        let request = auth::AuthenticateRequest { token };
        let response = self.auth.clone().authenticate(request).await?;
        Ok(token_caller(response.into_inner()))
    }
}

fn run_caller(response: &runs::AuthenticateRunResponse) -> Option<Caller> {
    Some(Caller::Run {
        run_id: response.run_id.parse().ok()?,
        project_id: response.project_id.parse().ok()?,
    })
}

fn token_caller(response: auth::AuthenticateResponse) -> Option<Caller> {
    match response.kind() {
        auth::TokenKind::Admin => Some(Caller::Admin {
            name: response.name,
            person: None,
        }),
        auth::TokenKind::Worker => Some(Caller::Worker {
            name: response.name,
            certified: None,
        }),
        auth::TokenKind::Service => Some(Caller::Service {
            role: response.service,
        }),
        auth::TokenKind::Person => person_caller(response),
        // A join token is for one call of its own, never a caller's.
        auth::TokenKind::Join | auth::TokenKind::Unspecified => None,
    }
}

/// Returns a person, or a platform admin if they are one. None: the response cannot be read.
fn person_caller(response: auth::AuthenticateResponse) -> Option<Caller> {
    let with = match response.session_id.as_str() {
        "" => Credential::Token(response.token_id.parse().ok()?),
        session => Credential::Session(session.parse().ok()?),
    };
    let pb = response.person?;
    let person = SignedIn {
        user_id: pb.user_id.parse().ok()?,
        with,
    };
    let everywhere = role_from_pb(pb.everywhere());
    if pb.platform_admin {
        return Some(Caller::Admin {
            name: pb.name,
            person: Some(person),
        });
    }
    let memberships = pb.memberships.iter().map(|m| {
        let role = role_from_pb(m.role())?;
        Some((m.project_id.parse().ok()?, role))
    });
    Some(Caller::Person {
        name: pb.name,
        person,
        projects: Arc::new(Projects {
            everywhere,
            by_project: memberships.collect::<Option<_>>()?,
        }),
    })
}

/// Whether a text could be a token of ours: an API token, a run's, or an access token (a JWT).
fn could_be_ours(bearer: &str) -> bool {
    if bearer.starts_with("ck8s_") {
        return bearer.len() <= MAX_TOKEN_BYTES;
    }
    let jwt = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    bearer.len() <= MAX_JWT_BYTES
        && bearer.bytes().filter(|b| *b == b'.').count() == 2
        && bearer.bytes().all(jwt)
}

#[async_trait]
impl Identify for MeshIdentify {
    async fn identify(&self, bearer: &str, from: Option<IpAddr>) -> Result<Caller, IdentifyError> {
        let could_be_ours = could_be_ours(bearer);
        let hash = match could_be_ours {
            true => Sha256::digest(bearer).into(),
            false => TokenHash::default(),
        };
        if could_be_ours && let Some(caller) = self.callers.get(&hash).await {
            return Ok(caller);
        }
        if let Some(wait) = self.unproven.wait(from)
            && !self.unproven.is_proven(&hash)
        {
            return Err(IdentifyError::TooMany(wait));
        }
        let identified = if !could_be_ours || self.unproven.is_unknown(&hash) {
            Err(IdentifyError::Unknown)
        } else {
            let looked_up = self.callers.try_get_with(hash, self.look_up(bearer, hash));
            looked_up.await.map_err(|error| *error)
        };
        if identified == Err(IdentifyError::Unknown) {
            self.unproven.count(from);
        }
        identified
    }

    async fn denied(&self, user_id: UserId, method: &str) {
        let request = auth::RecordDenialRequest {
            user_id: user_id.to_string(),
            method: method.to_owned(),
        };
        if let Err(status) = self.auth.clone().record_denial(request).await {
            tracing::warn!(code = ?status.code(), method, user = %user_id, "a refusal was not recorded");
        }
    }
}

/// Whether this code of an owning service says that a token is nobody's. Any other code is a failure of the service.
fn means_unknown(code: Code) -> bool {
    matches!(
        code,
        Code::Unauthenticated | Code::NotFound | Code::InvalidArgument
    )
}

#[cfg(test)]
mod tests;
