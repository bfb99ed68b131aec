//! Apps, and the tokens of their installations.
use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{
    gate::{Refused, invalid, missing, shown},
    shapes,
};
use crate::github::{
    Shared, lock,
    response::api_error,
    token::{Installation, May, Permissions, Token},
    world::GitHubWorld,
};

pub(super) async fn app(
    State(world): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let world = lock(&world);
    let app = signed(&world, &headers)?;
    Ok(Json(shapes::app(&world, app)).into_response())
}

/// POST: creates a token for the named repositories and permissions, or for all.
pub(super) async fn token(
    State(world): State<Shared>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let app = signed(&world, &headers)?.clone();
    if app.id != id {
        return Err(missing());
    }
    let repositories = reach(&world, &app, &body)?;
    let mut levels = app.permissions.clone();
    if let Some(asked) = body["permissions"].as_object() {
        levels.retain(|name, level| asked.get(name).is_some_and(|asked| asked == level.as_str()));
    }
    let lives = world.installed_lives;
    let ends = world.now() + lives;
    let lives = i64::try_from(lives.as_secs()).unwrap_or_default();
    let expires_at = shapes::when(world.unix_now() + lives);
    let permissions = Permissions {
        levels: levels.clone(),
        repositories,
    };
    let token = Token {
        user_id: app.bot_id,
        may: May::Installation(permissions, ends),
    };
    let token = world.issue("ghs", token);
    let shape = json!({
        "token": token,
        "expires_at": expires_at,
        "permissions": levels,
        "repository_selection": "selected",
    });
    Ok((StatusCode::CREATED, Json(shape)).into_response())
}

fn reach(world: &GitHubWorld, app: &Installation, body: &Value) -> Result<BTreeSet<u64>, Refused> {
    let why = "There is at least one repository that does not exist or is not accessible to the parent installation.";
    let beyond = || invalid("Installation", "repositories", why);
    let mut reached = BTreeSet::new();
    for id in body["repository_ids"].as_array().into_iter().flatten() {
        let id = id.as_u64().filter(|id| app.repositories.contains(id));
        reached.insert(id.ok_or_else(beyond)?);
    }
    for name in body["repositories"].as_array().into_iter().flatten() {
        let mut on = app.repositories.iter().filter(|id| {
            let repository = world.repositories.get(id);
            repository.is_some_and(|r| name.as_str() == Some(r.name()))
        });
        reached.insert(*on.next().ok_or_else(beyond)?);
    }
    if reached.is_empty() {
        reached.clone_from(&app.repositories);
    }
    Ok(reached)
}

fn signed<'a>(world: &'a GitHubWorld, headers: &HeaderMap) -> Result<&'a Installation, Refused> {
    let why = "A JSON web token could not be decoded";
    let bad = || Refused::from(api_error(StatusCode::UNAUTHORIZED, why));
    world.app_of(shown(headers)).ok_or_else(bad)
}
