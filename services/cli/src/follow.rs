//! Streams that outlive a broken connection: when to try again, and when to give up.
use std::time::Duration;

use tokio::time::Instant;
use tonic::{Code, Status};

/// Without a word from the server for this long, it is taken for gone.
const PATIENCE: Duration = Duration::from_secs(120);
/// The first pause before trying again; it doubles.
const SHORTEST: Duration = Duration::from_millis(200);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);

/// How often a stream may break.
pub(crate) struct Patience {
    heard: Instant,
    pause: Duration,
    welcome: bool,
}

impl Patience {
    /// Full.
    pub(crate) fn new() -> Self {
        Self {
            heard: Instant::now(),
            pause: SHORTEST,
            welcome: false,
        }
    }

    /// The server said something.
    pub(crate) fn heard(&mut self) {
        *self = Self {
            welcome: true,
            ..Self::new()
        };
    }

    /// Waits before another try; the status comes back if trying again would not help.
    pub(crate) async fn again(&mut self, status: Status) -> Result<(), Status> {
        if self.welcome && shown_out(status.code()) {
            self.welcome = false;
            return Ok(());
        }
        if !broken(status.code()) || self.heard.elapsed() > PATIENCE {
            return Err(status);
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }
}

/// Whether a stream that was good ended because of who watches: an access token has ended, or what they may has changed. Opened again,
/// it says whether they still may.
fn shown_out(code: Code) -> bool {
    matches!(code, Code::Unauthenticated | Code::PermissionDenied)
}

/// Whether the connection or the server broke, not the request.
fn broken(code: Code) -> bool {
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
    async fn a_broken_stream_is_tried_again_until_patience_ends() {
        let mut patience = Patience::new();
        assert!(patience.again(Status::unavailable("gone")).await.is_ok());
        assert_eq!(patience.pause, SHORTEST * 2);
        patience.heard -= PATIENCE;
        assert!(patience.again(Status::unavailable("gone")).await.is_err());
        patience.heard();
        assert_eq!(patience.pause, SHORTEST);
    }

    #[tokio::test]
    async fn a_good_stream_that_is_refused_is_opened_once_more() {
        let mut patience = Patience::new();
        patience.heard();
        let ended = || Status::unauthenticated("the token has ended");
        assert!(patience.again(ended()).await.is_ok());
        assert!(patience.again(ended()).await.is_err());
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        let fault = Patience::new().again(Status::permission_denied("no")).await;
        assert_eq!(fault.unwrap_err().code(), Code::PermissionDenied);
    }
}
