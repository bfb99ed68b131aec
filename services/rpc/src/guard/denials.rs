//! Refusals of people on their way to the audit trail: few, and never in the way of a response.
use std::sync::Arc;

use ck8s_types::UserId;

use crate::{identify::Identify, rate::Rate};

/// Bounds the records: one a minute for each person and method.
pub(super) struct Denials(Rate<(UserId, String)>);

impl Default for Denials {
    fn default() -> Self {
        Self(Rate::per_minute(1))
    }
}

impl Denials {
    /// Records a refusal in the background, unless the same one was recorded just now.
    pub(super) fn record(&self, identity: &Arc<dyn Identify>, user: UserId, path: &str) {
        if self.0.check((user, path.to_owned())).is_err() {
            return;
        }
        let (identity, path) = (identity.clone(), path.to_owned());
        tokio::spawn(async move { identity.denied(user, &path).await });
    }
}
