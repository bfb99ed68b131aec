//! Statuses of commits.
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{
    gate::{Refused, enter, invalid, write},
    shapes,
};
use crate::github::{Shared, lock, repository::Status};

/// The longest description that GitHub accepts.
const MAX_DESCRIPTION_CHARS: usize = 140;

pub(super) async fn create(
    State(world): State<Shared>,
    Path((owner, name, sha)): Path<(String, String, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let (id, token) = enter(&world, &headers, &(owner, name), &write("statuses"))?;
    if !world.repositories[&id].trees.contains_key(&sha) {
        let why = format!("No commit found for SHA: {sha}");
        return Err(invalid("Status", "sha", &why));
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let state = text("state");
    if !["error", "failure", "pending", "success"].contains(&state.as_str()) {
        return Err(invalid(
            "Status",
            "state",
            "state is not included in the list",
        ));
    }
    if text("description").chars().count() > MAX_DESCRIPTION_CHARS {
        let why = "description is too long (maximum is 140 characters)";
        return Err(invalid("Status", "description", why));
    }
    let context = match text("context") {
        context if context.is_empty() => "default".to_owned(),
        context => context,
    };
    let status = Status {
        id: world.next_id(),
        sha,
        state,
        context,
        description: text("description"),
        target_url: text("target_url"),
        by: token.user_id,
    };
    world.repository(id).statuses.push(status.clone());
    let shape = shapes::status(&world, &world.repositories[&id], &status);
    Ok((StatusCode::CREATED, Json(shape)).into_response())
}
