//! JSON endpoints under `/_world`, with which a test in another process arranges the world. GitHub has nothing like
//! them.
use std::collections::BTreeMap;

use axum::{Json, Router, extract::State, routing::post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::{Shared, accounts::Account, deliver, lock, repository::Repository};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/person", post(person))
        .route("/browser", post(browser))
        .route("/any-token", post(any_token))
        .route("/repository", post(repository))
        .route("/webhook", post(webhook))
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

#[derive(Deserialize)]
struct NewRepository {
    id: u64,
    full_name: String,
    /// The logins of its admins.
    admins: Vec<String>,
    /// The files at the head of `main`.
    files: BTreeMap<String, String>,
}

/// Adds a repository. Returns a token of its first admin.
async fn repository(State(world): State<Shared>, Json(new): Json<NewRepository>) -> Json<String> {
    let mut repository = Repository::new(new.id, &new.full_name);
    for admin in &new.admins {
        repository = repository.with(admin, "admin");
    }
    for (path, text) in &new.files {
        repository = repository.file(path, text);
    }
    let mut world = lock(&world);
    world.repositories.insert(new.id, repository);
    Json(world.classic_token(&new.admins[0], &["repo"]))
}

#[derive(Deserialize)]
struct Event {
    /// The repository's id.
    repository: u64,
    name: String,
    payload: Value,
}

/// Sends an event to the repository's webhooks. Returns how they were answered.
async fn webhook(State(world): State<Shared>, Json(event): Json<Event>) -> Json<Vec<u16>> {
    Json(deliver::emit(&world, event.repository, &event.name, &event.payload).await)
}
