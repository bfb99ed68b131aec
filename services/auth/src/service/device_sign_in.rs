//! Sign-in on a machine without a browser (RFC 8628): the person types a code at the provider while the machine polls
//! us. The machine gets a device code of ours; the provider's stays in the database, sealed.
use secrecy::ExposeSecret;

use super::auth::Auth;
use crate::{
    domain::{self, DevicePoll, DeviceSignIn, Hash, Secret, SignInMethod},
    error::{AuthError, SignInError},
    oauth::DevicePollOutcome,
    store::sign_ins,
};

/// The prefix of our device codes.
const DEVICE_CODE_PREFIX: &str = "ck8s_dev_";

impl Auth {
    /// Starts a sign-in.
    pub(crate) async fn start_device_sign_in(&self) -> Result<DeviceSignIn, AuthError> {
        let sign_in = self.sign_in()?;
        let started = sign_in.oauth()?.start_device().await?;
        let code = Secret::generate(DEVICE_CODE_PREFIX);
        let hash = code.hash();
        let provider_code = started.device_code.expose_secret().as_bytes();
        let key_ring = &sign_in.config.key_ring;
        let sealed = key_ring
            .seal(&sign_ins::associated_data(&hash), provider_code)
            .map_err(|_| AuthError::SecretCreation)?;
        let (ttl, interval) = (started.ttl, started.poll_interval);
        let mut conn = self.pool.acquire().await?;
        let expires_at = sign_ins::insert_device(&mut conn, &hash, &sealed, ttl, interval).await?;
        Ok(DeviceSignIn {
            code,
            user_code: started.user_code,
            verification_url: started.verification_url,
            interval_seconds: i32::try_from(interval.as_secs()).unwrap_or(60),
            expires_at,
        })
    }

    /// Polls a sign-in. A client that polls too early waits longer, and the provider is not asked.
    pub(crate) async fn poll_device_sign_in(&self, code: &str) -> Result<DevicePoll, AuthError> {
        let sign_in = self.sign_in()?;
        let oauth = sign_in.oauth()?;
        let hash = domain::hash(code);
        let mut conn = self.pool.acquire().await?;
        let turn = sign_ins::take_turn(&mut conn, &hash).await?;
        drop(conn);
        let turn = turn.ok_or(SignInError::DeviceCodeRefused)?;
        let pending = |interval_seconds| DevicePoll::Pending { interval_seconds };
        if turn.early {
            return Ok(pending(turn.interval_seconds));
        }
        let row = sign_ins::associated_data(&hash);
        let provider_code = sign_in.config.key_ring.open_text(&row, &turn.sealed)?;
        match oauth.poll_device(&provider_code).await {
            Ok(DevicePollOutcome::Pending) => Ok(pending(turn.interval_seconds)),
            Ok(DevicePollOutcome::SlowDown { interval_seconds }) => {
                let mut conn = self.pool.acquire().await?;
                let slower = sign_ins::slow_down(&mut conn, &hash, interval_seconds).await?;
                Ok(pending(slower.ok_or(SignInError::DeviceCodeRefused)?))
            }
            Ok(DevicePollOutcome::Confirmed(token)) => match oauth.identity(&token).await {
                Ok(identity) => {
                    drop(token);
                    let method = SignInMethod::Device;
                    let session = self.admit(&identity, method, Some(&hash)).await?;
                    Ok(DevicePoll::SignedIn(Box::new(session)))
                }
                // The provider's code is spent, and its token is stored nowhere: another poll would not help.
                Err(error) => {
                    tracing::warn!(%error, "a confirmed sign-in cannot go on");
                    let error = match error {
                        SignInError::ProviderRefused { .. } => error,
                        SignInError::TooMany { .. } => {
                            SignInError::Interrupted("limited this server's requests")
                        }
                        _ => SignInError::Interrupted("did not answer"),
                    };
                    self.end_device_sign_in(&hash, &error).await?;
                    Err(error.into())
                }
            },
            Err(error) => {
                self.end_device_sign_in(&hash, &error).await?;
                Err(error.into())
            }
        }
    }

    /// Deletes a sign-in that the person declined or that the provider ended, and records a decline.
    async fn end_device_sign_in(&self, code: &Hash, error: &SignInError) -> Result<(), AuthError> {
        let declined = matches!(error, SignInError::AccessDenied);
        if error.can_be_retried() {
            return Ok(());
        }
        let taken = sign_ins::take_device(&mut *self.pool.acquire().await?, code).await?;
        if taken && declined {
            self.record_decline(SignInMethod::Device).await?;
        }
        Ok(())
    }
}
