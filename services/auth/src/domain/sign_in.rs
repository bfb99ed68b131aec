//! Sign-ins at the provider, in the browser and on a device.
use std::time::Duration;

use time::OffsetDateTime;

use super::{secret::Secret, session::Session};

/// A sign-in that a browser has started.
pub(crate) struct BrowserSignIn {
    /// The provider's page where the person signs in.
    pub authorize_url: String,
    /// The secret of the browser's cookie: only this browser can finish the sign-in.
    pub browser_secret: Secret,
    /// How long the person has.
    pub ttl: Duration,
}

/// What the provider sends a browser back with.
pub(crate) struct AuthorizationCallback<'a> {
    pub code: &'a str,
    pub state: &'a str,
    pub browser_secret: &'a str,
    /// The provider's error, in place of a code.
    pub error: &'a str,
}

/// A sign-in that a device has started.
pub(crate) struct DeviceSignIn {
    /// Our code, with which the device polls.
    pub code: Secret,
    /// The code that the person types at the provider.
    pub user_code: String,
    pub verification_url: String,
    /// Seconds between two polls.
    pub interval_seconds: i32,
    pub expires_at: OffsetDateTime,
}

/// The answer to a device that polls.
pub(crate) enum DevicePoll {
    /// The person has not confirmed yet: poll again after so many seconds.
    Pending {
        interval_seconds: i32,
    },
    SignedIn(Box<Session>),
}
