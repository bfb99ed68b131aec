//! Refusals of people, on their way to the audit trail: few, and never in the way of an answer.
use std::{sync::Arc, time::Instant};

use ck8s_types::UserId;

use crate::{identify::Identify, rate::Rate};

/// Who was refused what lately: one person is told of once a minute, for one method.
pub(super) struct Denials(Rate<(UserId, String)>);

impl Default for Denials {
    fn default() -> Self {
        Self(Rate::per_minute(1))
    }
}

impl Denials {
    /// Has it written down in the background, unless it just was.
    pub fn tell(&self, identity: &Arc<dyn Identify>, user: UserId, path: &str) {
        if self
            .0
            .take((user, path.to_owned()), Instant::now())
            .is_err()
        {
            return;
        }
        let (identity, path) = (identity.clone(), path.to_owned());
        tokio::spawn(async move { identity.denied(user, &path).await });
    }
}
