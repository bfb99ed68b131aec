//! Whose a bearer token is: asked of AuthService and RunsService over the mesh, and remembered for less than half a second.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use ck8s_proto::{
    auth::v1::{self as auth, auth_service_client::AuthServiceClient},
    runs::v1::{self as runs, runs_service_client::RunsServiceClient},
};
use ck8s_types::UserId;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::sync::OnceCell;
use tonic::{Code, Status};

use crate::{
    Caller,
    caller::{Credential, Projects, SignedIn},
    convert::role_from_pb,
    mesh::Channel,
};

/// How long an answer counts. A revoked token is refused, and its open streams end, within twice this: that is to be within a second.
pub(crate) const REMEMBER: Duration = Duration::from_millis(400);
/// How many tokens are remembered: it bounds the memory that a flood of made-up tokens can take.
const REMEMBERED: usize = 10_000;
/// No API token is longer; a longer one is not worth a call.
const LONGEST_TOKEN: usize = 200;
/// Nor is an access token.
const LONGEST_JWT: usize = 4096;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why it is not known whose a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdentifyError {
    /// Nobody's: made up, expired or revoked.
    #[error("unknown token")]
    Unknown,
    /// Nobody could be asked.
    #[error("tokens cannot be checked now")]
    Unavailable,
}

/// Says whose a bearer token is.
#[async_trait]
pub trait Identify: Send + Sync {
    /// Whose `bearer` (the token alone) is.
    async fn identify(&self, bearer: &str) -> Result<Caller, IdentifyError>;

    /// A person was refused: has it written down, if that can be done.
    async fn denied(&self, user_id: UserId, method: &str);
}

type Answer = Option<Caller>;

struct Remembered {
    asked: Instant,
    answer: Arc<OnceCell<Answer>>,
}

/// Asks the services that own the tokens. Concurrent requests with one token ask once.
pub struct MeshIdentify {
    auth: AuthServiceClient<Channel>,
    runs: RunsServiceClient<Channel>,
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
}

impl MeshIdentify {
    /// Over this channel, on which the caller is a role of the mesh.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self {
            auth: AuthServiceClient::new(channel.clone()),
            runs: RunsServiceClient::new(channel),
            remembered: Mutex::default(),
        }
    }

    /// The cell of a token's answer, a fresh one if what is remembered is too old.
    fn cell(&self, key: [u8; 32]) -> Arc<OnceCell<Answer>> {
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = remembered.get(&key)
            && one.asked.elapsed() < REMEMBER
        {
            return one.answer.clone();
        }
        if remembered.len() >= REMEMBERED {
            remembered.retain(|_, one| one.asked.elapsed() < REMEMBER);
        }
        let answer = Arc::new(OnceCell::new());
        if remembered.len() < REMEMBERED {
            let asked = Instant::now();
            let one = Remembered {
                asked,
                answer: answer.clone(),
            };
            remembered.insert(key, one);
        }
        answer
    }

    async fn ask(&self, bearer: &str) -> Result<Answer, Status> {
        if bearer.starts_with("ck8s_run_") {
            let mut request = tonic::Request::new(runs::AuthenticateRunRequest {
                token: bearer.to_owned(),
            });
            request.set_timeout(PATIENCE);
            let answer = self.runs.clone().authenticate_run(request).await?;
            return Ok(run_caller(&answer.into_inner()));
        }
        let mut request = tonic::Request::new(auth::AuthenticateRequest {
            token: bearer.to_owned(),
        });
        request.set_timeout(PATIENCE);
        let answer = self.auth.clone().authenticate(request).await?;
        Ok(token_caller(answer.into_inner()))
    }
}

fn run_caller(answer: &runs::AuthenticateRunResponse) -> Answer {
    Some(Caller::Run {
        run_id: answer.run_id.parse().ok()?,
        project_id: answer.project_id.parse().ok()?,
    })
}

fn token_caller(answer: auth::AuthenticateResponse) -> Answer {
    match answer.kind() {
        auth::TokenKind::Admin => Some(Caller::Admin {
            name: answer.name,
            person: None,
        }),
        auth::TokenKind::Worker => Some(Caller::Worker {
            name: answer.name,
            certified: None,
        }),
        auth::TokenKind::Service => Some(Caller::Service {
            role: answer.service,
        }),
        auth::TokenKind::Person => person_caller(answer),
        // A join token is for one call of its own, never a caller's.
        auth::TokenKind::Join | auth::TokenKind::Unspecified => None,
    }
}

/// A person; one who may do everything is a platform admin. What cannot be read makes nobody of them.
fn person_caller(answer: auth::AuthenticateResponse) -> Answer {
    let with = match answer.session_id.as_str() {
        "" => Credential::Token(answer.token_id.parse().ok()?),
        session => Credential::Session(session.parse().ok()?),
    };
    let pb = answer.person?;
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
        return bearer.len() <= LONGEST_TOKEN;
    }
    let jwt = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    bearer.len() <= LONGEST_JWT
        && bearer.bytes().filter(|b| *b == b'.').count() == 2
        && bearer.bytes().all(jwt)
}

#[async_trait]
impl Identify for MeshIdentify {
    async fn identify(&self, bearer: &str) -> Result<Caller, IdentifyError> {
        if !could_be_ours(bearer) {
            return Err(IdentifyError::Unknown);
        }
        let cell = self.cell(Sha256::digest(bearer).into());
        let answer = cell
            .get_or_try_init(|| async {
                match tokio::time::timeout(PATIENCE, self.ask(bearer)).await {
                    Ok(Ok(answer)) => Ok(answer),
                    Ok(Err(status)) if means_unknown(status.code()) => Ok(None),
                    Ok(Err(status)) => {
                        tracing::warn!(code = ?status.code(), message = status.message(), "a token cannot be checked");
                        Err(IdentifyError::Unavailable)
                    }
                    Err(_) => Err(IdentifyError::Unavailable),
                }
            })
            .await?;
        answer.clone().ok_or(IdentifyError::Unknown)
    }

    async fn denied(&self, user_id: UserId, method: &str) {
        let mut request = tonic::Request::new(auth::RecordDenialRequest {
            user_id: user_id.to_string(),
            method: method.to_owned(),
        });
        request.set_timeout(PATIENCE);
        let mut auth = self.auth.clone();
        let told = tokio::time::timeout(PATIENCE, auth.record_denial(request));
        if let Ok(Err(status)) = told.await {
            tracing::warn!(code = ?status.code(), method, user = %user_id, "a refusal was not written down");
        }
    }
}

/// What the services that own tokens answer for one that is nobody's. All else is their trouble, not the caller's.
fn means_unknown(code: Code) -> bool {
    matches!(
        code,
        Code::Unauthenticated | Code::NotFound | Code::InvalidArgument
    )
}

#[cfg(test)]
#[path = "identify_tests.rs"]
mod tests;
