//! Sign-in on a machine without a browser (RFC 8628): the person types a code at the provider, and the machine asks us how far it is.
//! Ours is a code of our own; the provider's stays here, sealed.
use secrecy::ExposeSecret;
use time::OffsetDateTime;

use super::Auth;
use crate::{
    domain::{self, Secret, Session, Via},
    error::{AuthError, SignInError},
    provider::DevicePoll,
    store::sign_ins,
};

/// A device sign-in that has begun.
pub(crate) struct Started {
    pub code: Secret,
    pub user_code: String,
    pub verification_url: String,
    /// Seconds between two questions.
    pub interval: i32,
    pub expires_at: OffsetDateTime,
}

/// How far it is.
pub(crate) enum Poll {
    /// Seconds until the next question.
    Wait(i32),
    Done(Box<Session>),
}

impl Auth {
    /// Begins one.
    pub(crate) async fn start_device(&self) -> Result<Started, AuthError> {
        let sign_in = self.sign_in()?;
        let started = sign_in.provider()?.start_device().await?;
        let code = Secret::new("ck8s_dev_");
        let hash = code.hash();
        let theirs = started.device_code.expose_secret().as_bytes();
        let sealed = sign_in
            .config
            .key_ring
            .seal(&sign_ins::associated(&hash), theirs);
        let sealed = sealed.map_err(|_| AuthError::Unmade)?;
        let (life, every) = (started.life, started.poll_every);
        let mut conn = self.pool.acquire().await?;
        let expires_at = sign_ins::insert_device(&mut conn, &hash, &sealed, life, every).await?;
        drop(conn);
        self.upkeep.sweep(&self.pool);
        Ok(Started {
            code,
            user_code: started.user_code,
            verification_url: started.verification_url,
            interval: i32::try_from(every.as_secs()).unwrap_or(60),
            expires_at,
        })
    }

    /// Asks how far one is. Who asks before their turn waits longer, and the provider is not asked.
    pub(crate) async fn poll_device(&self, code: &str) -> Result<Poll, AuthError> {
        let sign_in = self.sign_in()?;
        let provider = sign_in.provider()?;
        let hash = domain::hash(code);
        let mut conn = self.pool.acquire().await?;
        let turn = sign_ins::take_turn(&mut conn, &hash).await?;
        drop(conn);
        let turn = turn.ok_or(SignInError::DeviceCodeRefused)?;
        if turn.early {
            return Ok(Poll::Wait(turn.interval));
        }
        let theirs = sign_in
            .config
            .key_ring
            .open_text(&sign_ins::associated(&hash), &turn.sealed)?;
        match provider.poll_device(&theirs).await {
            Ok(DevicePoll::Pending) => Ok(Poll::Wait(turn.interval)),
            Ok(DevicePoll::SlowDown(wanted)) => {
                let mut conn = self.pool.acquire().await?;
                let wait = sign_ins::slow_down(&mut conn, &hash, wanted).await?;
                Ok(Poll::Wait(wait.ok_or(SignInError::DeviceCodeRefused)?))
            }
            Ok(DevicePoll::Confirmed(token)) => {
                let identity = provider.identity(&token).await?;
                drop(token);
                let session = self.admit(&identity, Via::Device, Some(&hash)).await?;
                Ok(Poll::Done(Box::new(session)))
            }
            Err(over @ (SignInError::AccessDenied | SignInError::DeviceCodeRefused)) => {
                let used = sign_ins::use_device(&mut *self.pool.acquire().await?, &hash).await?;
                if used && matches!(over, SignInError::AccessDenied) {
                    self.declined(Via::Device).await?;
                }
                Err(over.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
