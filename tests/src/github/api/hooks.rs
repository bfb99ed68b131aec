//! Webhooks: at most twenty for each repository, no two of them equal.
use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{
    gate::{Named, Refused, enter, invalid, missing, read, write},
    shapes,
};
use crate::github::{
    Shared, deliver, lock, repository::Hook, response::fields, world::GitHubWorld,
};

const PERMISSION: &str = "repository_hooks";
/// GitHub's limit for each repository.
const MAX_HOOKS: usize = 20;

/// Owner, name and the webhook's id.
pub(super) type OneHook = (String, String, u64);

pub(super) async fn list(
    State(world): State<Shared>,
    Path(named): Path<Named>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let (id, _) = enter(&world, &headers, &named, &read(PERMISSION))?;
    let repository = &world.repositories[&id];
    let path = format!("/repos/{}/hooks", repository.full_name);
    let hooks = repository.hooks.iter();
    let all = hooks
        .map(|hook| shapes::hook(&world, repository, hook))
        .collect();
    let query = fields(query.unwrap_or_default().as_bytes());
    Ok(world.paged(&path, &query, all))
}

pub(super) async fn create(
    State(shared): State<Shared>,
    Path(named): Path<Named>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refused> {
    let (shape, ping) = {
        let mut world = lock(&shared);
        let (id, _) = enter(&world, &headers, &named, &write(PERMISSION))?;
        let mut hook = Hook {
            id: world.next_id(),
            active: true,
            events: vec!["push".to_owned()],
            url: String::new(),
            content_type: "form".to_owned(),
            secret: String::new(),
            attempts: Vec::new(),
        };
        change(&mut hook, &body);
        if hook.url.is_empty() {
            return Err(invalid("Hook", "url", "url cannot be blank"));
        }
        let repository = world.repository(id);
        if repository.hooks.len() >= MAX_HOOKS {
            let why = "The \"push\" event cannot have more than 20 hooks";
            return Err(invalid("Hook", "events", why));
        }
        if repository.hooks.iter().any(|other| other.url == hook.url) {
            let why = "Hook already exists on this repository";
            return Err(invalid("Hook", "url", why));
        }
        repository.hooks.push(hook.clone());
        world.tell("a webhook's secret", hook.secret.clone());
        let shape = shapes::hook(&world, &world.repositories[&id], &hook);
        (shape, ping_of(&mut world, id, hook.id))
    };
    // GitHub pings each new webhook unasked.
    send(&shared, ping);
    Ok((StatusCode::CREATED, Json(shape)).into_response())
}

pub(super) async fn update(
    State(world): State<Shared>,
    Path((owner, name, hook_id)): Path<OneHook>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let (id, _) = enter(&world, &headers, &(owner, name), &write(PERMISSION))?;
    let hook = world.repository(id).hook(hook_id).ok_or_else(missing)?;
    change(hook, &body);
    let hook = hook.clone();
    world.tell("a webhook's secret", hook.secret.clone());
    let shape = shapes::hook(&world, &world.repositories[&id], &hook);
    Ok(Json(shape).into_response())
}

pub(super) async fn delete(
    State(world): State<Shared>,
    Path((owner, name, hook_id)): Path<OneHook>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let (id, _) = enter(&world, &headers, &(owner, name), &write(PERMISSION))?;
    let hooks = &mut world.repository(id).hooks;
    let before = hooks.len();
    hooks.retain(|hook| hook.id != hook_id);
    if hooks.len() == before {
        return Err(missing());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn ping(
    State(shared): State<Shared>,
    Path((owner, name, hook_id)): Path<OneHook>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let ping = {
        let mut world = lock(&shared);
        let needed = write(PERMISSION);
        let (id, _) = enter(&world, &headers, &(owner, name), &needed)?;
        world.repository(id).hook(hook_id).ok_or_else(missing)?;
        ping_of(&mut world, id, hook_id)
    };
    send(&shared, ping);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// PATCH: fields that are missing stay; a config replaces the whole config.
fn change(hook: &mut Hook, body: &Value) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(active) = body["active"].as_bool() {
        hook.active = active;
    }
    if let Some(events) = body["events"].as_array() {
        hook.events = events.iter().filter_map(text).collect();
    }
    if body["config"].is_object() {
        let config = &body["config"];
        hook.url = text(&config["url"]).unwrap_or_default();
        hook.content_type = text(&config["content_type"]).unwrap_or_else(|| "form".to_owned());
        hook.secret = text(&config["secret"]).unwrap_or_default();
    }
}

fn ping_of(world: &mut GitHubWorld, repository: u64, hook: u64) -> Option<deliver::Parcel> {
    let shown = world.repositories.get(&repository)?;
    let config = shown.hooks.iter().find(|h| h.id == hook)?;
    let payload = json!({
        "zen": "Keep it logically awesome.",
        "hook_id": hook,
        "hook": shapes::hook(world, shown, config),
        "repository": {
            "id": shown.id,
            "full_name": shown.full_name,
            "default_branch": shown.default_branch,
        },
        "sender": { "login": shown.owner(), "id": 1, "type": "User" },
    });
    world.parcel(repository, hook, crate::new_id(), "ping", payload, false)
}

/// Posts in the background, as GitHub does.
pub(super) fn send(world: &Shared, parcel: Option<deliver::Parcel>) {
    if let Some(parcel) = parcel {
        let world = world.clone();
        tokio::spawn(async move { deliver::post(&world, parcel).await });
    }
}
