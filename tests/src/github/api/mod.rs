//! The API's routes, and what all of them share. The state of repositories is in `../repository.rs`.
mod apps;
mod comparison;
mod contents;
mod deliveries;
mod gate;
mod hooks;
mod pages;
mod pull_requests;
mod quota;
mod record;
mod repositories;
pub(super) mod shapes;
mod statuses;
mod threads;
mod users;

use axum::{
    Router, middleware,
    routing::{get, patch, post},
};

use super::Shared;

pub(super) use quota::Writing;

pub(super) fn router(world: &Shared) -> Router<Shared> {
    let layer = |world: &Shared| world.clone();
    Router::new()
        .route("/user", get(users::user))
        .route("/user/emails", get(users::emails))
        .route("/users/{login}", get(users::somebody))
        .route("/app", get(apps::app))
        .route("/app/installations/{id}/access_tokens", post(apps::token))
        .nest("/repos/{owner}/{repo}", repository())
        .layer(middleware::from_fn(pages::conditional))
        .layer(middleware::from_fn_with_state(layer(world), quota::count))
        .layer(middleware::from_fn_with_state(layer(world), gate::moved))
        .layer(middleware::from_fn_with_state(layer(world), record::record))
}

fn repository() -> Router<Shared> {
    Router::new()
        .route("/", get(repositories::get))
        .route(
            "/collaborators/{login}/permission",
            get(repositories::permission),
        )
        .route("/branches/{branch}", get(contents::branch))
        .route("/contents/{*path}", get(contents::file))
        .route("/hooks", get(hooks::list).post(hooks::create))
        .route("/hooks/{id}", patch(hooks::update).delete(hooks::delete))
        .route("/hooks/{id}/pings", post(hooks::ping))
        .route("/hooks/{id}/deliveries", get(deliveries::list))
        .route(
            "/hooks/{id}/deliveries/{attempt}/attempts",
            post(deliveries::again),
        )
        .route("/statuses/{sha}", post(statuses::create))
        .route("/issues", get(threads::issues))
        .route("/pulls", get(pull_requests::list))
        .route("/pulls/{number}", get(pull_requests::one))
        .route("/pulls/{number}/files", get(comparison::files))
        .route("/compare/{basehead}", get(comparison::compare))
        .route(
            "/issues/{number}/comments",
            get(threads::list).post(threads::create),
        )
        .route("/issues/comments/{id}", patch(threads::update))
        .route("/issues/comments/{id}/reactions", post(threads::react))
}
