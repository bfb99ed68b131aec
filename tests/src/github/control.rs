//! How a test in another process arranges the world: JSON under `/_world`. Nothing of it is GitHub's.
use axum::{Json, Router, extract::State, routing::post};
use http::StatusCode;
use serde::Deserialize;

use super::{Shared, lock, world::Account};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/person", post(person))
        .route("/browser", post(browser))
        .route("/any-token", post(any_token))
}

/// Somebody gets an account.
async fn person(State(world): State<Shared>, Json(person): Json<Account>) -> StatusCode {
    lock(&world).people.push(person);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Who {
    /// None: nobody.
    login: Option<String>,
}

/// The browser that comes is theirs.
async fn browser(State(world): State<Shared>, Json(who): Json<Who>) -> StatusCode {
    lock(&world).signed_in = who.login;
    StatusCode::NO_CONTENT
}

/// The API takes any token for theirs.
async fn any_token(State(world): State<Shared>, Json(who): Json<Who>) -> StatusCode {
    lock(&world).any_token_is = who.login;
    StatusCode::NO_CONTENT
}
