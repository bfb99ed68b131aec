//! `GET /repos/{owner}/{repo}`, and the roles of people in it.
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{
    gate::{Named, Refused, enter, read},
    shapes,
};
use crate::github::{Shared, lock, response::api_error};

pub(super) async fn get(
    State(world): State<Shared>,
    Path(named): Path<Named>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let world = lock(&world);
    let (id, token) = enter(&world, &headers, &named, &read("metadata"))?;
    let shape = shapes::repository(&world, &world.repositories[&id], &token);
    Ok(Json(shape).into_response())
}

/// GET: a person's role, in the four former words and in today's.
pub(super) async fn permission(
    State(world): State<Shared>,
    Path((owner, name, login)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let world = lock(&world);
    let (id, _) = enter(&world, &headers, &(owner, name), &read("collaborators"))?;
    let Some(person) = world
        .by_login(&login)
        .filter(|p| !p.login.ends_with("[bot]"))
    else {
        let why = format!("{login} is not a user");
        return Ok(api_error(StatusCode::NOT_FOUND, &why));
    };
    let repository = &world.repositories[&id];
    let public = if repository.private { "none" } else { "read" };
    let role = repository.roles.get(&login).map_or(public, String::as_str);
    let permission = match role {
        "maintain" => "write",
        "triage" => "read",
        role => role,
    };
    let mut user = shapes::simple_user(&world, person);
    user["role_name"] = json!(role);
    user["permissions"] = shapes::permissions(role);
    let shape = json!({ "permission": permission, "role_name": role, "user": user });
    Ok(Json(shape).into_response())
}
