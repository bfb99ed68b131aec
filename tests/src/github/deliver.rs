//! Delivery of webhooks: signed, over HTTP, with every attempt recorded. GitHub tries once, and again only when it is
//! asked to.
use std::time::Duration;

use serde_json::Value;

use super::{Shared, lock, repository::Attempt, world::GitHubWorld};
use crate::webhook::signature;

/// How long GitHub waits for the receiver.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(10);

/// A request to post.
pub(crate) struct Parcel {
    repository: u64,
    hook: u64,
    attempt: u64,
    url: String,
    secret: String,
    content_type: String,
    guid: String,
    event: String,
    body: Vec<u8>,
}

impl GitHubWorld {
    /// Returns what the repository's webhooks have to post for an event. Each attempt is recorded at once, as not
    /// answered.
    pub(crate) fn parcels(&mut self, repository: u64, event: &str, payload: &Value) -> Vec<Parcel> {
        let hooks = self.repositories.get(&repository).map(|r| &r.hooks);
        let hearing = hooks.into_iter().flatten().filter(|hook| hook.hears(event));
        let ids: Vec<u64> = hearing.map(|hook| hook.id).collect();
        ids.into_iter()
            .filter_map(|hook| {
                let guid = crate::new_id();
                self.parcel(repository, hook, guid, event, payload.clone(), false)
            })
            .collect()
    }

    /// Returns the request for one webhook.
    pub(crate) fn parcel(
        &mut self,
        repository: u64,
        hook: u64,
        guid: String,
        event: &str,
        payload: Value,
        redelivery: bool,
    ) -> Option<Parcel> {
        let (attempt, at) = (self.next_id(), self.unix_now());
        let hook = self.repositories.get_mut(&repository)?.hook(hook)?;
        let body = payload.to_string().into_bytes();
        hook.attempts.push(Attempt {
            id: attempt,
            guid: guid.clone(),
            redelivery,
            event: event.to_owned(),
            payload,
            at,
            status_code: 0,
        });
        Some(Parcel {
            repository,
            hook: hook.id,
            attempt,
            url: hook.url.clone(),
            secret: hook.secret.clone(),
            content_type: hook.content_type.clone(),
            guid,
            event: event.to_owned(),
            body,
        })
    }

    /// Returns the request that repeats an attempt: with its delivery id, and with the webhook's current settings.
    pub(crate) fn again(&mut self, repository: u64, hook: u64, attempt: u64) -> Option<Parcel> {
        let found = self.repositories.get_mut(&repository)?.hook(hook)?;
        let before = found.attempts.iter().find(|a| a.id == attempt)?.clone();
        let (guid, event) = (before.guid, before.event);
        self.parcel(repository, hook, guid, &event, before.payload, true)
    }
}

/// Posts an event of a repository to each webhook that receives it. Returns the status of each response; 0 if there was
/// none.
pub(crate) async fn emit(
    world: &Shared,
    repository: u64,
    event: &str,
    payload: &Value,
) -> Vec<u16> {
    let parcels = lock(world).parcels(repository, event, payload);
    let mut answers = Vec::new();
    for parcel in parcels {
        answers.push(post(world, parcel).await);
    }
    answers
}

/// Posts a request and records the status that came back; 0 if there was none.
pub(crate) async fn post(world: &Shared, parcel: Parcel) -> u16 {
    let kind = match parcel.content_type.as_str() {
        "form" => "application/x-www-form-urlencoded",
        _ => "application/json",
    };
    let body = match parcel.content_type.as_str() {
        "form" => {
            let text = String::from_utf8_lossy(&parcel.body);
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("payload", &text).finish().into_bytes()
        }
        _ => parcel.body,
    };
    let mut request = reqwest::Client::new()
        .post(&parcel.url)
        .timeout(RECEIVER_TIMEOUT)
        .header("content-type", kind)
        .header("user-agent", "GitHub-Hookshot/044aadd")
        .header("x-github-event", &parcel.event)
        .header("x-github-delivery", &parcel.guid)
        .header("x-github-hook-id", parcel.hook.to_string())
        .header("x-github-hook-installation-target-type", "repository")
        .header(
            "x-github-hook-installation-target-id",
            parcel.repository.to_string(),
        );
    if !parcel.secret.is_empty() {
        request = request.header("x-hub-signature-256", signature(&parcel.secret, &body));
    }
    let answer = request.body(body).send().await;
    let status = answer.map_or(0, |answer| answer.status().as_u16());
    let mut world = lock(world);
    let repository = world.repositories.get_mut(&parcel.repository);
    let hook = repository.and_then(|repository| repository.hook(parcel.hook));
    if let Some(hook) = hook {
        let attempt = hook.attempts.iter_mut().find(|a| a.id == parcel.attempt);
        if let Some(attempt) = attempt {
            attempt.status_code = status;
        }
    }
    status
}
