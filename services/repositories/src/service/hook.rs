//! The hook of a repository: made, mended, removed at its provider, and heard here. Each step may be repeated.
use std::time::Duration;

use ck8s_provider::{HookSpec, ProviderError};
use secrecy::SecretString;
use serde_json::json;
use time::OffsetDateTime;
use tokio::{sync::broadcast::error::RecvError, time::timeout};
use uuid::Uuid;

use super::{
    Repositories,
    change::record,
    outside::{Far, at},
    recover::ACTOR,
};
use crate::{
    error::Error,
    store::{
        remote,
        repositories::{self, Repository},
    },
};

/// What is named in an error where it stopped.
pub const LOOKING: &str = "looking for hooks";
pub const MAKING: &str = "making the hook";
pub const PINGING: &str = "pinging the hook";

/// How long a ping may take to come, and how often one is asked for: the first may meet an ingress that does not know the secret yet.
const PING_TAKES: Duration = Duration::from_secs(5);
const PINGS: usize = 3;

impl Far {
    /// Has exactly one hook post to our address, with this secret, turned on, for everything that ck8s hears of. One that is there, or
    /// that is known and posts to where we were before, is taken over; any more are removed. Returns its id.
    pub async fn put_hook(
        &self,
        known: Option<&str>,
        secret: &SecretString,
    ) -> Result<String, Error> {
        let spec = HookSpec {
            url: self.outside.hook_url.clone(),
            secret: secret.clone(),
        };
        let (credential, remote) = (&self.credential, &self.remote);
        let found = self.api().hooks(credential, remote, &spec.url).await;
        let found = found.map_err(at(LOOKING))?.into_iter();
        let mut ids: Vec<String> = known.map(str::to_owned).into_iter().collect();
        ids.extend(
            found
                .map(|hook| hook.id)
                .filter(|id| known != Some(id.as_str())),
        );
        let mut ids = ids.into_iter();
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
        let hook = hook.map_err(at(MAKING))?;
        for other in ids {
            self.api()
                .delete_hook(credential, remote, &other)
                .await
                .map_err(at("removing a second hook"))?;
        }
        Ok(hook.id)
    }

    /// Has the hook post a ping.
    pub async fn ping(&self, hook_id: &str) -> Result<(), Error> {
        let done = self
            .api()
            .ping_hook(&self.credential, &self.remote, hook_id);
        done.await.map_err(at(PINGING))
    }

    /// What the provider says became of the last try of the hook to deliver something.
    async fn last_answer(&self, hook_id: &str, since: OffsetDateTime) -> String {
        let tried = self
            .api()
            .hook_attempts(&self.credential, &self.remote, hook_id, since);
        let last = tried
            .await
            .ok()
            .and_then(|all| all.into_iter().max_by_key(|attempt| attempt.at));
        last.map_or_else(|| "nothing".to_owned(), |attempt| attempt.answer)
    }

    /// Removes every hook that posts to our address, or to the one that was ours when the work began, and the one that is known.
    pub async fn drop_hooks(
        &self,
        known: Option<&str>,
        begun_at: Option<&str>,
    ) -> Result<(), ProviderError> {
        let (credential, remote) = (&self.credential, &self.remote);
        let url = self.outside.hook_url.as_str();
        let mut ids: Vec<String> = known.map(str::to_owned).into_iter().collect();
        for url in [Some(url), begun_at.filter(|begun| *begun != url)]
            .into_iter()
            .flatten()
        {
            for hook in self.api().hooks(credential, remote, url).await? {
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
}

impl Repositories {
    /// How a repository's hook stands at its provider: its id, or what is wrong. What is news is written down.
    pub(super) async fn look_at_hook(
        &self,
        far: &Far,
        repository: &Repository,
    ) -> Result<Result<String, String>, Error> {
        let url = &far.outside.hook_url;
        let found = far.api().hooks(&far.credential, &far.remote, url).await;
        let found = found.map_err(at(LOOKING))?;
        let stands = match found.as_slice() {
            [] => Err("no hook posts to ck8s".to_owned()),
            [hook] if !hook.active => Err(format!("hook {} is turned off", hook.id)),
            [hook] if !hook.complete => {
                Err(format!("hook {} does not hear of every event", hook.id))
            }
            [hook] if repository.hook_id.as_ref() != Some(&hook.id) => Err(format!(
                "hook {} posts to ck8s, which ck8s did not make",
                hook.id
            )),
            [hook] => Ok(hook.id.clone()),
            more => Err(format!("{} hooks post to ck8s", more.len())),
        };
        let problem = stands.as_ref().err();
        let mut tx = self.pool.begin().await?;
        if remote::set_hook_problem(&mut tx, repository.id, problem.map(String::as_str)).await? {
            repositories::touch(&mut tx, repository.id).await?;
            let (kind, how) = match problem {
                Some(problem) => ("repository.hook_lost", problem.as_str()),
                None => ("repository.hook_found", "its hook is as it should be"),
            };
            let message = format!("repository {}: {how}", repository.full_name);
            record(&mut tx, ACTOR, kind, repository, message, json!({})).await?;
        }
        tx.commit().await?;
        Ok(stands)
    }

    /// Has a repository's hook post a ping until one has come here.
    pub(super) async fn ping_until_heard(
        &self,
        far: &Far,
        repository: Uuid,
        hook_id: &str,
    ) -> Result<(), Error> {
        let since = OffsetDateTime::now_utc() - Duration::from_secs(60);
        let mut pings = far.outside.pings.subscribe();
        for _ in 0..PINGS {
            far.ping(hook_id).await?;
            let came = async {
                loop {
                    match pings.recv().await {
                        Ok(id) if id != repository => {}
                        // Of those that were missed, one may have been ours.
                        Ok(_) | Err(RecvError::Lagged(_)) => return,
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            // Nobody may have been told of one that came.
            let _ = timeout(PING_TAKES, came).await;
            let mut conn = self.pool.acquire().await?;
            if remote::seen_within(&mut conn, repository, PING_TAKES.as_secs_f64() * 2.0).await? {
                return Ok(());
            }
        }
        Err(Error::Unheard {
            url: far.outside.hook_url.clone(),
            said: far.last_answer(hook_id, since).await,
        })
    }
}
