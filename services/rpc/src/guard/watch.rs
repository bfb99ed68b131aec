//! When a call must end although its handler goes on: at its deadline, or when the token that opened it is good no more or its
//! bearer may something else.
use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{HeaderMap, header::AUTHORIZATION};
use tokio::time::{Instant, MissedTickBehavior};
use tonic::Status;

use super::deadline;
use crate::{
    Caller,
    identify::{Identify, IdentifyError, REMEMBER},
    status,
};

/// How long a stream goes on while nobody can say whether its token is still good.
const BLIND: Duration = Duration::from_secs(30);

/// A bearer token. Has no `Debug`: it is never logged.
pub(super) struct Bearer(String);

impl Bearer {
    /// The one token of a request's headers; none if it is malformed or there are several.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else {
            return None;
        };
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        let sound = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        (scheme.eq_ignore_ascii_case("bearer") && sound).then(|| Self(token.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Asks again and again whose a stream's token is.
pub(super) struct Watch {
    identity: Arc<dyn Identify>,
    bearer: Bearer,
    caller: Caller,
}

impl Watch {
    pub fn new(identity: Arc<dyn Identify>, bearer: Bearer, caller: Caller) -> Self {
        Self {
            identity,
            bearer,
            caller,
        }
    }

    /// Ends when the token is good no more, or lets the caller do something else than when the stream began.
    async fn lost(self) -> Status {
        let mut ticks = tokio::time::interval_at(Instant::now() + REMEMBER, REMEMBER);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = Instant::now();
        loop {
            ticks.tick().await;
            match self.identity.identify(self.bearer.expose()).await {
                Ok(caller) if caller.may_the_same(&self.caller) => seen = Instant::now(),
                Ok(_) => return status::access_changed(),
                Err(IdentifyError::Unknown) => return status::token_ended(),
                Err(cause @ IdentifyError::Unavailable) if seen.elapsed() > BLIND => {
                    return status::unavailable("authentication", &cause);
                }
                Err(IdentifyError::Unavailable) => {}
            }
        }
    }
}

/// Why a call must end, as soon as it must.
pub(super) fn ending(limit: Option<Duration>, watch: Option<Watch>) -> BoxFuture<'static, Status> {
    let late = async move {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
        deadline::exceeded()
    };
    match watch {
        None => Box::pin(late),
        Some(watch) => Box::pin(async move {
            tokio::select! {
                status = late => status,
                status = watch.lost() => status,
            }
        }),
    }
}
