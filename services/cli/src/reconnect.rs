//! When a broken stream is opened again, and when the command gives up.
use std::time::Duration;

use tokio::time::Instant;
use tonic::{Code, Status};

/// A server that has sent nothing for this long is taken to be gone: a restart takes less.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(120);
/// The pause before the first attempt; it doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The pause does not grow beyond this, so that a server that is back is found soon.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Decides whether a stream that broke is opened again.
pub(crate) struct Reconnect {
    last_message: Instant,
    pause: Duration,
    /// Whether the stream has delivered a message since it was last refused.
    accepted: bool,
}

impl Reconnect {
    /// Starts the clock.
    pub(crate) fn new() -> Self {
        Self {
            last_message: Instant::now(),
            pause: FIRST_PAUSE,
            accepted: false,
        }
    }

    /// Records that the server sent a message.
    pub(crate) fn message_received(&mut self) {
        *self = Self {
            accepted: true,
            ..Self::new()
        };
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// Returns the status if another attempt would not help.
    pub(crate) async fn wait(&mut self, status: Status) -> Result<(), Status> {
        if self.accepted && is_refusal(status.code()) {
            self.accepted = false;
            return Ok(());
        }
        if !is_transient(status.code()) || self.last_message.elapsed() > SILENCE_TIMEOUT {
            return Err(status);
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(MAX_PAUSE);
        Ok(())
    }
}

/// Returns whether a stream ended because of who watches: their access token has ended, or their rights have changed.
/// Opened once more, it shows whether they may still watch.
fn is_refusal(code: Code) -> bool {
    matches!(code, Code::Unauthenticated | Code::PermissionDenied)
}

/// Returns whether the connection or the server failed, not the request.
fn is_transient(code: Code) -> bool {
    use Code::{Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unknown};
    matches!(
        code,
        Unavailable | Unknown | Internal | Cancelled | DeadlineExceeded | ResourceExhausted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_broken_stream_is_opened_again_until_the_server_was_silent_too_long() {
        let mut reconnect = Reconnect::new();
        assert!(reconnect.wait(Status::unavailable("gone")).await.is_ok());
        assert_eq!(reconnect.pause, FIRST_PAUSE * 2);
        reconnect.last_message -= SILENCE_TIMEOUT;
        assert!(reconnect.wait(Status::unavailable("gone")).await.is_err());
        reconnect.message_received();
        assert_eq!(reconnect.pause, FIRST_PAUSE);
    }

    #[tokio::test]
    async fn an_accepted_stream_that_is_refused_is_opened_once_more() {
        let mut reconnect = Reconnect::new();
        reconnect.message_received();
        let ended = || Status::unauthenticated("the token has ended");
        assert!(reconnect.wait(ended()).await.is_ok());
        assert!(reconnect.wait(ended()).await.is_err());
    }

    #[tokio::test]
    async fn a_refusal_at_the_start_is_final() {
        let refused = Reconnect::new().wait(Status::permission_denied("no")).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
}
