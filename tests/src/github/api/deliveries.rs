//! Attempts of webhooks to deliver: the newest first, in pages by cursor.
use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{
    gate::{Refused, enter, missing, read, write},
    hooks::{OneHook, send},
    pages::linked,
    shapes,
};
use crate::github::{
    API, Shared, lock,
    response::{field, fields},
};

pub(super) async fn list(
    State(world): State<Shared>,
    Path((owner, name, hook_id)): Path<OneHook>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let needed = read("repository_hooks");
    let (id, _) = enter(&world, &headers, &(owner, name), &needed)?;
    let query = fields(query.unwrap_or_default().as_bytes());
    let size = field(&query, "per_page").parse().unwrap_or(30_usize);
    let size = size.clamp(1, 100);
    let from = field(&query, "cursor").strip_prefix("v1_");
    let from = from.and_then(|from| from.parse().ok()).unwrap_or(u64::MAX);
    let url = world.url.clone();
    let repository = world.repository(id);
    let path = format!("/repos/{}/hooks/{hook_id}/deliveries", repository.full_name);
    let hook = repository.hook(hook_id).ok_or_else(missing)?;
    let newest = hook.attempts.iter().rev();
    let mut rest = newest.filter(|attempt| attempt.id < from);
    let shown: Vec<_> = rest.by_ref().take(size).collect();
    let more = rest.next().is_some();
    let cursor = shown.last().map_or(0, |attempt| attempt.id);
    let shown = shown.iter().map(|a| shapes::delivery(id, a)).collect();
    let next = format!("<{url}{API}{path}?per_page={size}&cursor=v1_{cursor}>; rel=\"next\"");
    world.page_is_out();
    Ok(linked(shown, if more { &next } else { "" }))
}

pub(super) async fn again(
    State(shared): State<Shared>,
    Path((owner, name, hook_id, attempt)): Path<(String, String, u64, u64)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let parcel = {
        let mut world = lock(&shared);
        let needed = write("repository_hooks");
        let (id, _) = enter(&world, &headers, &(owner, name), &needed)?;
        world.again(id, hook_id, attempt).ok_or_else(missing)?
    };
    send(&shared, Some(parcel));
    Ok((StatusCode::ACCEPTED, Json(json!({}))).into_response())
}
