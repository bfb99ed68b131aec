//! What ingress tells and asks of repositories that ck8s looks after.
use std::collections::HashMap;

use ck8s_proto::repositories::v1 as pb;
use ck8s_provider::{HookAttempt, ProviderError};
use ck8s_rpc::convert::timestamp;
use ck8s_types::RepositoryId;
use time::{Duration, OffsetDateTime};
use tokio::time::timeout;
use uuid::Uuid;

use super::{Repositories, outside::at};
use crate::{
    error::Error,
    store::{
        remote,
        repositories::{self, Repository},
        webhook_secrets, works,
    },
};

/// What a hook tried so long ago is not looked for: providers forget it.
const LONGEST_BACK: Duration = Duration::days(3);
/// Looked at again each time: providers tell whole seconds, by a clock of their own. What arrived is not asked for again.
const OVERLAP: Duration = Duration::minutes(1);
/// What is younger may not be on the provider's list yet.
const YOUNGEST: Duration = Duration::seconds(30);

/// Listing may take so long: less than whoever asks waits.
const LISTING: std::time::Duration = std::time::Duration::from_secs(45);

/// A delivery that came.
pub struct Heard {
    pub repository: RepositoryId,
    pub event: String,
    pub branch: String,
    pub signed_with_current: bool,
}

/// Somebody at the provider.
pub struct Who {
    pub login: String,
    /// Empty: it is not known.
    pub external_id: String,
}

impl Who {
    /// Whether this is whom a repository's credential acts as; logins change, ids do not.
    fn is_actor_of(&self, repository: &Repository) -> bool {
        let actor = repository.actor_id.as_deref();
        match actor.filter(|_| !self.external_id.is_empty()) {
            Some(id) => id == self.external_id,
            None => repository
                .actor_login
                .as_deref()
                .is_some_and(|own| own.eq_ignore_ascii_case(&self.login)),
        }
    }
}

impl Repositories {
    /// Notes a delivery; what follows from it at the provider is done beside.
    pub(crate) async fn heard(&self, heard: Heard) -> Result<(), Error> {
        let id = heard.repository.uuid();
        let mut tx = self.pool.begin().await?;
        let repository = repositories::get(&mut tx, id).await?;
        match heard.event.as_str() {
            "ping" => remote::ping_seen(&mut tx, id).await?,
            _ => remote::hook_seen(&mut tx, id).await?,
        }
        let rotating = works::of(&mut tx, id).await?.is_some();
        if heard.signed_with_current
            && !rotating
            && repository.credential.is_some()
            && webhook_secrets::retire(&mut tx, id).await?
        {
            repositories::touch(&mut tx, id).await?;
        }
        tx.commit().await?;
        if repository.credential.is_none() {
            return Ok(());
        }
        let moved = heard.event == "repository";
        let pushed = heard.event == "push" && heard.branch == repository.default_branch;
        if (moved || pushed)
            && let Some(outside) = &self.outside
            && outside.looks.begin(id)
        {
            let (this, outside) = (self.clone(), outside.clone());
            tokio::spawn(async move {
                loop {
                    if let Err(error) = this.look_now(id).await {
                        tracing::warn!(repository.id = %id, %error, "a delivery's consequences wait for the next look");
                    }
                    if !outside.looks.again(id) {
                        return;
                    }
                }
            });
        }
        Ok(())
    }

    /// Whether somebody may write there, and whether they are ck8s itself.
    pub(crate) async fn may_write(
        &self,
        repository: RepositoryId,
        who: &Who,
    ) -> Result<pb::MayWriteResponse, Error> {
        let login = who.login.as_str();
        let id = repository.uuid();
        let mut conn = self.pool.acquire().await?;
        let repository = repositories::get(&mut conn, id).await?;
        let far = self.far(&mut conn, &repository).await?;
        drop(conn);
        if who.is_actor_of(&repository) {
            return Ok(pb::MayWriteResponse {
                may_write: false,
                is_own_actor: true,
            });
        }
        let writers = &far.outside.writers;
        let may_write = match writers.of(id, login) {
            Some(may) => may,
            None => {
                let step = "asking who may write";
                if let Some(until) = repository.waits() {
                    let by = far.api().name();
                    return Err(at(step)(ProviderError::Limited { by, until }));
                }
                let asked = far.api().may_write(&far.credential, &far.remote, login);
                let may = match asked.await {
                    Ok(may) => may,
                    Err(error) => {
                        self.note_error(&repository, &error).await;
                        return Err(at(step)(error));
                    }
                };
                writers.keep(id, login, may);
                may
            }
        };
        Ok(pb::MayWriteResponse {
            may_write,
            is_own_actor: false,
        })
    }

    /// What the hook of the next repository tried since it was last asked about.
    pub(crate) async fn hook_deliveries(
        &self,
        after: Uuid,
    ) -> Result<pb::ListHookDeliveriesResponse, Error> {
        if self.outside.is_none() {
            return Ok(pb::ListHookDeliveriesResponse::default());
        }
        let mut conn = self.pool.acquire().await?;
        let Some(id) = remote::next_hooked(&mut conn, after).await? else {
            return Ok(pb::ListHookDeliveriesResponse::default());
        };
        let mut answer = pb::ListHookDeliveriesResponse {
            repository_id: id.to_string(),
            next_page_token: ck8s_rpc::page::encode(&id),
            ..Default::default()
        };
        drop(conn);
        let now = OffsetDateTime::now_utc();
        // One repository hinders no other: what stands in the way here is told in the log, and looked for the next time.
        match timeout(LISTING, self.attempts(id, now)).await {
            Ok(Ok(Some(attempts))) => {
                // A ping tells nothing that somebody could miss.
                let told = attempts.into_iter().filter(|tried| tried.event != "ping");
                answer.until = Some(timestamp(now - YOUNGEST));
                answer.deliveries = by_delivery(told);
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => {
                tracing::warn!(repository.id = %id, %error, "its deliveries were not looked for");
            }
            Err(_) => {
                tracing::warn!(repository.id = %id, "listing its deliveries takes too long");
            }
        }
        Ok(answer)
    }

    /// What a repository's hook tried since it was last asked about; none: it is not to be asked now.
    async fn attempts(
        &self,
        id: Uuid,
        now: OffsetDateTime,
    ) -> Result<Option<Vec<HookAttempt>>, Error> {
        let mut conn = self.pool.acquire().await?;
        let repository = repositories::get(&mut conn, id).await?;
        let far = self.far(&mut conn, &repository).await?;
        drop(conn);
        let asked = repository.hook_id.as_deref();
        let Some(hook_id) = asked.filter(|_| repository.waits().is_none()) else {
            return Ok(None);
        };
        let since = repository.recovered_until.unwrap_or(repository.created_at);
        let since = (since - OVERLAP).max(now - LONGEST_BACK);
        let tried = far
            .api()
            .hook_attempts(&far.credential, &far.remote, hook_id, since);
        match tried.await {
            Ok(attempts) => Ok(Some(attempts)),
            Err(error) => {
                self.note_error(&repository, &error).await;
                if matches!(error, ProviderError::NotFound(_)) {
                    let problem = "it is not at the provider any more";
                    let mut conn = self.pool.acquire().await?;
                    remote::set_hook_problem(&mut conn, id, Some(problem)).await?;
                }
                Ok(None)
            }
        }
    }

    /// Has the provider deliver these again, then notes up to when everything was looked for. Those that it did not take now.
    pub(crate) async fn redeliver(
        &self,
        repository: RepositoryId,
        attempts: &[String],
        until: Option<OffsetDateTime>,
    ) -> Result<Vec<String>, Error> {
        let mut conn = self.pool.acquire().await?;
        let repository = repositories::get(&mut conn, repository.uuid()).await?;
        let far = self.far(&mut conn, &repository).await?;
        drop(conn);
        let hook_id = repository.hook_id.as_deref().unwrap_or_default();
        let mut later = Vec::new();
        for attempt in attempts {
            let asked = far
                .api()
                .redeliver(&far.credential, &far.remote, hook_id, attempt);
            match asked.await {
                Ok(()) => {}
                // The provider has forgotten it: nobody can have it again.
                Err(ProviderError::NotFound(_) | ProviderError::Invalid(_)) => {
                    tracing::warn!(repository.id = %repository.id, attempt, "a delivery is not to be had again");
                }
                // This one fails; others may not.
                Err(ProviderError::Unavailable(why)) => {
                    tracing::warn!(repository.id = %repository.id, attempt, why, "a delivery is asked for later");
                    later.push(attempt.clone());
                }
                Err(error) => {
                    self.note_error(&repository, &error).await;
                    return Err(at("asking for deliveries again")(error));
                }
            }
        }
        if let Some(until) = until.filter(|_| later.is_empty()) {
            let mut conn = self.pool.acquire().await?;
            remote::set_recovered_until(&mut conn, repository.id, until).await?;
        }
        Ok(later)
    }
}

/// The latest try of each delivery, oldest first; one that came through once came through.
fn by_delivery(attempts: impl Iterator<Item = HookAttempt>) -> Vec<pb::HookDelivery> {
    let mut latest: HashMap<String, (OffsetDateTime, pb::HookDelivery)> = HashMap::new();
    for attempt in attempts {
        let entry = latest.entry(attempt.delivery_id.clone());
        let (at, delivery) = entry.or_insert_with(|| {
            (
                OffsetDateTime::UNIX_EPOCH,
                pb::HookDelivery {
                    delivery_id: attempt.delivery_id.clone(),
                    ..Default::default()
                },
            )
        });
        delivery.succeeded |= attempt.succeeded;
        if attempt.at >= *at {
            *at = attempt.at;
            delivery.attempt_id = attempt.id;
            delivery.event = attempt.event;
            delivery.time = Some(timestamp(attempt.at));
        }
    }
    let mut all: Vec<_> = latest.into_values().collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, delivery)| delivery).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tries_of_a_delivery_are_one() {
        let now = OffsetDateTime::now_utc();
        let attempt = |id: &str, delivery: &str, seconds: i64, succeeded| HookAttempt {
            id: id.to_owned(),
            delivery_id: delivery.to_owned(),
            event: "push".to_owned(),
            at: now - Duration::seconds(seconds),
            succeeded,
            answer: String::new(),
        };
        let tries = vec![
            attempt("3", "a", 60, true),
            attempt("2", "b", 80, false),
            attempt("1", "a", 90, false),
        ];
        let seen = by_delivery(tries.into_iter());
        let seen: Vec<_> = seen
            .iter()
            .map(|d| (d.delivery_id.as_str(), d.attempt_id.as_str(), d.succeeded))
            .collect();
        assert_eq!(seen, [("b", "2", false), ("a", "3", true)]);
    }
}
