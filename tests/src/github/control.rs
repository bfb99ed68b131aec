//! JSON endpoints under `/_world`, with which a test in another process arranges the world. GitHub has nothing like
//! them.
use axum::{Json, Router, extract::State, routing::post};
use http::StatusCode;
use serde::Deserialize;

use super::{Shared, accounts::Account, lock};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/person", post(person))
        .route("/browser", post(browser))
        .route("/any-token", post(any_token))
}

/// Adds an account.
async fn person(State(world): State<Shared>, Json(person): Json<Account>) -> StatusCode {
    lock(&world).people.push(person);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Who {
    /// None signs everybody out.
    login: Option<String>,
}

/// Signs a person in at GitHub.
async fn browser(State(world): State<Shared>, Json(who): Json<Who>) -> StatusCode {
    lock(&world).signed_in = who.login;
    StatusCode::NO_CONTENT
}

/// Makes the API take every token for this person's.
async fn any_token(State(world): State<Shared>, Json(who): Json<Who>) -> StatusCode {
    lock(&world).any_token_is = who.login;
    StatusCode::NO_CONTENT
}
