//! When a call must end although its handler goes on: at its deadline, or when the token that opened it is no longer
//! valid or has other rights.
use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::time::{Instant, MissedTickBehavior};
use tonic::Status;

use super::bearer::Bearer;
use crate::{
    Caller,
    identify::{CACHE_TTL, Identify, IdentifyError},
    status,
};

/// How long a stream goes on while its token cannot be checked: as long as AuthService takes to come back.
const UNCHECKED_TIMEOUT: Duration = Duration::from_secs(30);

/// Checks the token of a stream at intervals.
pub(super) struct TokenWatch {
    identity: Arc<dyn Identify>,
    bearer: Bearer,
    caller: Caller,
}

impl TokenWatch {
    pub(super) fn new(identity: Arc<dyn Identify>, bearer: Bearer, caller: Caller) -> Self {
        Self {
            identity,
            bearer,
            caller,
        }
    }

    /// Returns when the token is no longer valid, or its rights are not those that the stream began with.
    async fn rights_changed(self) -> Status {
        let mut ticks = tokio::time::interval_at(Instant::now() + CACHE_TTL, CACHE_TTL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checked = Instant::now();
        loop {
            ticks.tick().await;
            match self.identity.identify(self.bearer.expose(), None).await {
                Ok(caller) if caller.has_rights_of(&self.caller) => checked = Instant::now(),
                Ok(_) => return status::access_changed(),
                Err(IdentifyError::Unknown) => return status::token_ended(),
                Err(cause @ (IdentifyError::Unavailable | IdentifyError::TooMany(_)))
                    if checked.elapsed() > UNCHECKED_TIMEOUT =>
                {
                    return status::unavailable("authentication", &cause);
                }
                Err(IdentifyError::Unavailable | IdentifyError::TooMany(_)) => {}
            }
        }
    }
}

/// Resolves with the status of a call that must end now.
pub(super) fn ending(
    limit: Option<Duration>,
    watch: Option<TokenWatch>,
) -> BoxFuture<'static, Status> {
    let deadline = async move {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
        crate::deadline::exceeded()
    };
    match watch {
        None => Box::pin(deadline),
        Some(watch) => Box::pin(async move {
            tokio::select! {
                status = deadline => status,
                status = watch.rights_changed() => status,
            }
        }),
    }
}
