//! Makes a delivery of each schedule that is due. The delivery's key makes each due time one delivery, whichever
//! replica makes it and however often.
use std::{collections::HashMap, sync::Arc};

use ck8s_db::Lock;
use ck8s_types::RepositoryId;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{
        delivery::{DeliveryState, NewDelivery},
        matching,
        payload::Payload,
        repository::Repository,
        schedule::{self, SCHEDULE, SeenSchedule, TriggerSchedule},
        stored_body,
        webhook::WebhookOutcome,
    },
    error::IngressError,
    peers::{repositories::RepositoryCache, scheduled_repositories::ScheduledRepositories},
    pipeline::writer::WriteRequest,
    store::schedules,
};

/// The lock that lets one replica at a time look what is due.
const LOCK: &str = "ingress.schedules";

/// Makes the deliveries of schedules.
pub(crate) struct Schedules {
    pool: PgPool,
    scheduled: ScheduledRepositories,
    repositories: RepositoryCache,
    writer: mpsc::Sender<WriteRequest>,
}

/// The repositories that have a schedule, each with the provider's id.
type Scheduled = HashMap<RepositoryId, (u64, Arc<Repository>)>;

impl Schedules {
    pub(crate) fn new(
        pool: PgPool,
        scheduled: ScheduledRepositories,
        repositories: RepositoryCache,
        writer: mpsc::Sender<WriteRequest>,
    ) -> Self {
        Self {
            pool,
            scheduled,
            repositories,
            writer,
        }
    }

    /// Makes the deliveries that are due at `now`. Returns when the next one is due; none: nobody knows, or another
    /// replica looks.
    pub(crate) async fn fire(
        &self,
        now: OffsetDateTime,
    ) -> Result<Option<OffsetDateTime>, IngressError> {
        let Some(lock) = Lock::take(&self.pool, LOCK).await? else {
            return Ok(None);
        };
        let next = self.fire_due(now).await;
        lock.release().await;
        next
    }

    async fn fire_due(&self, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, IngressError> {
        let scheduled = self.find().await?;
        let repositories = scheduled.values();
        let known = repositories.flat_map(|(_, repository)| schedules_of(repository, now));
        let known: Vec<SeenSchedule> = known.collect();
        let seen = {
            let mut conn = self.pool.acquire().await?;
            schedules::sync(&mut conn, &known).await?
        };
        let mut next: Option<OffsetDateTime> = None;
        for mut seen in seen {
            let Some((external_id, repository)) = scheduled.get(&seen.repository_id) else {
                continue;
            };
            let Some(times) = times(repository, &seen.trigger) else {
                continue;
            };
            let delay = schedule::delay(seen.repository_id, &seen.trigger);
            if let Some(due) = times.due(seen.last_due, delay, now)
                && self.deliver(*external_id, repository, &seen, due).await?
            {
                seen.last_due = due;
            }
            let following = times.times.next_after(seen.last_due);
            let following = following.map(|due| due + delay);
            next = following.into_iter().chain(next).min();
        }
        Ok(next)
    }

    /// Returns the repositories that have a schedule. All or none: one that is missing would be forgotten.
    async fn find(&self) -> Result<Scheduled, IngressError> {
        let mut scheduled = Scheduled::new();
        let mut page_token = String::new();
        loop {
            let (ids, next_page_token) = self.scheduled.page(page_token).await?;
            for (id, claimants) in ids.iter().zip(self.repositories.resolve(&ids).await) {
                for repository in claimants?.iter() {
                    scheduled.insert(repository.id, (*id, repository.clone()));
                }
            }
            if next_page_token.is_empty() {
                return Ok(scheduled);
            }
            page_token = next_page_token;
        }
    }

    /// Stores the delivery of a due time, as a webhook is stored. Returns whether it is there.
    async fn deliver(
        &self,
        external_id: u64,
        repository: &Repository,
        seen: &SeenSchedule,
        due: OffsetDateTime,
    ) -> Result<bool, IngressError> {
        let (reply, outcome) = oneshot::channel();
        let request = WriteRequest {
            delivery: new_delivery(external_id, repository, &seen.trigger, due),
            reply,
        };
        if self.writer.send(request).await.is_err() {
            return Ok(false);
        }
        match outcome.await {
            Ok(WebhookOutcome::Accepted | WebhookOutcome::Duplicate) => {
                let mut conn = self.pool.acquire().await?;
                schedules::fired(&mut conn, seen, due).await?;
                Ok(true)
            }
            Ok(WebhookOutcome::Rejected(_)) | Err(_) => Ok(false),
        }
    }
}

fn times<'a>(repository: &'a Repository, trigger: &str) -> Option<&'a TriggerSchedule> {
    let mut triggers = repository.triggers.iter();
    triggers.find(|t| t.name == trigger)?.schedule.as_ref()
}

/// Returns the schedules of a repository, as they are if they are new.
fn schedules_of(repository: &Repository, now: OffsetDateTime) -> Vec<SeenSchedule> {
    let schedules = repository.triggers.iter().filter_map(|trigger| {
        let schedule = trigger.schedule.as_ref()?;
        Some(SeenSchedule {
            repository_id: repository.id,
            trigger: trigger.name.clone(),
            cron: schedule.cron.clone(),
            timezone: schedule.timezone.clone(),
            last_due: now,
        })
    });
    schedules.collect()
}

fn new_delivery(
    external_id: u64,
    repository: &Repository,
    trigger: &str,
    due: OffsetDateTime,
) -> NewDelivery {
    let branch = &repository.default_branch;
    let body = schedule::payload(external_id, branch, trigger, due);
    // We wrote it: it is a payload.
    let requests = Payload::parse(&body)
        .map(|payload| matching::due_request(repository, &payload))
        .unwrap_or_default();
    NewDelivery {
        key: schedule::key(trigger, due),
        event: SCHEDULE.to_owned(),
        action: String::new(),
        sender: SCHEDULE.to_owned(),
        project_id: Some(repository.project_id),
        repository_id: Some(repository.id),
        state: match requests.runs.is_empty() {
            true => DeliveryState::Ignored,
            false => DeliveryState::RunCreated,
        },
        reason: requests.reason,
        runs: requests.runs,
        size_bytes: i32::try_from(body.len()).unwrap_or(i32::MAX),
        payload: stored_body::compress(&body),
    }
}
