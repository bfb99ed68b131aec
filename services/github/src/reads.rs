//! How a request is made with manners: not while GitHub wants to be left alone, a write only in turn, a read again after a failure.
use ck8s_provider::{Credential, ProviderError};
use http::StatusCode;
use rand::RngExt;
use secrecy::SecretString;
use tokio::time::timeout;

use crate::{
    GitHub,
    answer::Answer,
    ask::{Ask, Scope},
    caller::Caller,
    transport::unavailable,
};

impl GitHub {
    /// Asks, and answers with what GitHub answers, refusals too; not with limits, failures, and a credential that is nobody's.
    pub(crate) async fn ask(
        &self,
        credential: &Credential,
        scope: Scope<'_>,
        ask: Ask<'_>,
    ) -> Result<Answer, ProviderError> {
        let caller = self.callers.of(credential);
        if ask.reads() {
            return self.patiently(&caller, credential, scope, &ask).await;
        }
        let write = self.with_bearer(&caller, credential, scope, &ask);
        caller.in_turn(&self.pace, write).await
    }

    /// A read that fails for a moment is tried again.
    async fn patiently(
        &self,
        caller: &Caller,
        credential: &Credential,
        scope: Scope<'_>,
        ask: &Ask<'_>,
    ) -> Result<Answer, ProviderError> {
        for retry in 0.. {
            let answer = self.with_bearer(caller, credential, scope, ask).await;
            match answer {
                Err(ProviderError::Unavailable(_)) if retry < self.pace.retries => {}
                answer => return answer,
            }
            let pause = self.pace.pause * 2_u32.saturating_pow(retry);
            let more = rand::rng().random_range(0.0..0.5);
            tokio::time::sleep(pause.mul_f64(1.0 + more)).await;
        }
        Err(unavailable("it was asked too often"))
    }

    /// Asks with what the credential shows; an app's token that was revoked before its end is replaced once, by whoever is first.
    async fn with_bearer(
        &self,
        caller: &Caller,
        credential: &Credential,
        scope: Scope<'_>,
        ask: &Ask<'_>,
    ) -> Result<Answer, ProviderError> {
        let bearer = self.bearer(caller, credential, scope).await?;
        let answer = self.attempt(caller, ask, &bearer).await;
        let refused = matches!(answer, Err(ProviderError::Unauthenticated));
        let minted = matches!(credential, Credential::App { .. }) && !matches!(scope, Scope::App);
        if refused && minted {
            self.forget(caller, scope, &bearer).await;
            let bearer = self.bearer(caller, credential, scope).await?;
            return self.attempt(caller, ask, &bearer).await;
        }
        answer
    }

    /// Asks once.
    pub(crate) async fn attempt(
        &self,
        caller: &Caller,
        ask: &Ask<'_>,
        bearer: &SecretString,
    ) -> Result<Answer, ProviderError> {
        caller.may_ask()?;
        let answer = timeout(self.pace.deadline, self.transport.send(ask, bearer)).await;
        let answer = answer.map_err(|_| {
            unavailable(format!(
                "no answer within {} s",
                self.pace.deadline.as_secs_f32()
            ))
        })??;
        caller.note(&answer)?;
        match answer.status {
            StatusCode::UNAUTHORIZED => Err(ProviderError::Unauthenticated),
            StatusCode::REQUEST_TIMEOUT => Err(unavailable("it answered 408")),
            status if status.is_server_error() => {
                Err(unavailable(format!("it answered {}", status.as_u16())))
            }
            _ => Ok(answer),
        }
    }
}
