//! The hook of a repository: made, inspected, pinged and removed at the provider. Each step may be repeated.
use std::{iter, time::Duration};

use ck8s_provider::{HookSpec, ProviderError};
use ck8s_types::{EventKind, RepositoryId};
use secrecy::SecretString;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

use super::{
    events::{self, RepositoryEvent, SERVICE_ACTOR},
    provider::RemoteRepository,
    repositories::Repositories,
};
use crate::{
    domain::repository::Repository,
    error::Error,
    store::{provider_state, repositories},
};

/// The steps that errors name.
const LISTING: &str = "looking for hooks";
const MAKING: &str = "making the hook";
const PINGING: &str = "pinging the hook";

/// How long a ping may take to come.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Bounds the pings that are requested: the first may meet an ingress that does not know the secret yet.
const MAX_PINGS: usize = 3;
/// A ping counts if it came this long ago: nobody may have noticed one of an earlier try.
const PING_MAX_AGE_SECONDS: f64 = 10.0;
/// How far before the first ping the provider's last attempt is looked for: its clock may be behind.
const ATTEMPT_CLOCK_SKEW: Duration = Duration::from_secs(60);

impl RemoteRepository {
    /// Makes exactly one hook post to our address, with this secret, turned on, for every event that ck8s listens to. A
    /// hook that posts there already, or the known one, is taken over; any others are removed. Returns the id of the
    /// hook.
    pub(super) async fn put_hook(
        &self,
        known: Option<&str>,
        secret: &SecretString,
    ) -> Result<String, Error> {
        let spec = HookSpec {
            url: self.provider.hook_url.clone(),
            secret: secret.clone(),
        };
        let (credential, remote) = (&self.credential, &self.remote);
        let listed = self.api().list_hooks(credential, remote, &spec.url).await;
        let listed = listed.map_err(Error::at(LISTING))?.into_iter();
        let listed = listed
            .map(|hook| hook.id)
            .filter(|id| known != Some(id.as_str()));
        let mut ids = known.map(str::to_owned).into_iter().chain(listed);
        let hook = loop {
            let Some(id) = ids.next() else {
                break self.api().create_hook(credential, remote, &spec).await;
            };
            match self.api().update_hook(credential, remote, &id, &spec).await {
                // Somebody removed it.
                Err(ProviderError::NotFound(_)) => {}
                done => break done,
            }
        };
        let hook = hook.map_err(Error::at(MAKING))?;
        for other in ids {
            self.api()
                .delete_hook(credential, remote, &other)
                .await
                .map_err(Error::at("removing a second hook"))?;
        }
        Ok(hook.id)
    }

    /// Requests a ping of the hook.
    pub(super) async fn ping_hook(&self, hook_id: &str) -> Result<(), Error> {
        let pinged = self
            .api()
            .ping_hook(&self.credential, &self.remote, hook_id);
        pinged.await.map_err(Error::at(PINGING))
    }

    /// Removes every hook that posts to our address, or to one of `former_urls`, and the known one.
    pub(super) async fn remove_hooks(
        &self,
        known: Option<&str>,
        former_urls: &[&str],
    ) -> Result<(), ProviderError> {
        let (credential, remote) = (&self.credential, &self.remote);
        let url = self.provider.hook_url.as_str();
        let former_urls = former_urls.iter().copied().filter(|former| *former != url);
        let mut ids: Vec<String> = known.map(str::to_owned).into_iter().collect();
        for url in iter::once(url).chain(former_urls) {
            for hook in self.api().list_hooks(credential, remote, url).await? {
                if !ids.contains(&hook.id) {
                    ids.push(hook.id);
                }
            }
        }
        for id in ids {
            self.api().delete_hook(credential, remote, &id).await?;
        }
        Ok(())
    }

    /// Returns what the provider was answered when the hook last tried to deliver something.
    async fn last_attempt_status(&self, hook_id: &str, since: OffsetDateTime) -> String {
        let attempts = self
            .api()
            .list_delivery_attempts(&self.credential, &self.remote, hook_id, since)
            .await;
        let last = attempts
            .ok()
            .and_then(|attempts| attempts.into_iter().max_by_key(|attempt| attempt.at));
        last.map_or_else(|| "nothing".to_owned(), |attempt| attempt.status)
    }
}

impl Repositories {
    /// Asks the provider for the hook of a repository, and records what changed. Returns the id of the hook, or what is
    /// wrong with it.
    pub(super) async fn inspect_hook(
        &self,
        remote: &RemoteRepository,
        repository: &Repository,
    ) -> Result<Result<String, String>, Error> {
        let url = &remote.provider.hook_url;
        let hooks = remote
            .api()
            .list_hooks(&remote.credential, &remote.remote, url)
            .await
            .map_err(Error::at(LISTING))?;
        let state = match hooks.as_slice() {
            [] => Err("no hook posts to ck8s".to_owned()),
            [hook] if !hook.active => Err(format!("hook {} is turned off", hook.id)),
            [hook] if !hook.complete => Err(format!("hook {} does not send every event", hook.id)),
            [hook] if repository.hook.id.as_ref() != Some(&hook.id) => Err(format!(
                "hook {} posts to ck8s, which ck8s did not make",
                hook.id
            )),
            [hook] => Ok(hook.id.clone()),
            more => Err(format!("{} hooks post to ck8s", more.len())),
        };
        let problem = state.as_ref().err().map(String::as_str);
        let mut tx = self.pool.begin().await?;
        if provider_state::set_hook_problem(&mut tx, repository.id, problem).await? {
            repositories::touch(&mut tx, repository.id).await?;
            let (kind, message) = match problem {
                Some(problem) => (EventKind::RepositoryHookLost, problem),
                None => (
                    EventKind::RepositoryHookFound,
                    "its hook is as it should be",
                ),
            };
            let event = RepositoryEvent {
                kind,
                actor: SERVICE_ACTOR,
                message: format!("repository {}: {message}", repository.full_name),
                data: Value::Null,
            };
            events::record(&mut tx, repository, event).await?;
        }
        tx.commit().await?;
        Ok(state)
    }

    /// Requests pings of a repository's hook until one comes here.
    pub(super) async fn ping_until_received(
        &self,
        remote: &RemoteRepository,
        repository: RepositoryId,
        hook_id: &str,
    ) -> Result<(), Error> {
        let since = OffsetDateTime::now_utc() - ATTEMPT_CLOCK_SKEW;
        let mut pings = remote.provider.pings.subscribe();
        for _ in 0..MAX_PINGS {
            remote.ping_hook(hook_id).await?;
            // A ping may have come without a notification.
            let _ = timeout(PING_TIMEOUT, ping_of(&mut pings, repository)).await;
            let mut conn = self.pool.acquire().await?;
            if provider_state::delivery_came_within(&mut conn, repository, PING_MAX_AGE_SECONDS)
                .await?
            {
                return Ok(());
            }
        }
        Err(Error::NoPing {
            url: remote.provider.hook_url.clone(),
            said: remote.last_attempt_status(hook_id, since).await,
        })
    }
}

/// Waits until a ping of this repository comes, or may have come.
async fn ping_of(pings: &mut Receiver<RepositoryId>, repository: RepositoryId) {
    loop {
        match pings.recv().await {
            Ok(id) if id != repository => {}
            // One of those that were missed may have been ours.
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
