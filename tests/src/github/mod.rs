//! A fake GitHub that keeps state and speaks HTTP as GitHub does. Tests arrange its world, switch faults on, and look
//! at the state that results.
mod api;
mod authorize;
mod control;
mod deliver;
mod device;
mod fault_injection;
mod oauth;
mod repository;
mod response;
#[cfg(test)]
mod tests;
mod tokens;
mod users;
mod web;
mod world;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

pub use api::Exchange;
pub use fault_injection::{Fault, Moment};
pub use repository::{Attempt, Comment, Hook, Repository, Status};
pub use tokens::Installation;
pub use world::{Account, App, Call, Email, GitHubWorld};

/// The path of the API below the base address, as on a GitHub Enterprise Server.
const API: &str = "/api/v3";

/// The state that all handlers share.
pub(crate) type Shared = Arc<Mutex<GitHubWorld>>;

/// A running fake GitHub. It stops when it is dropped.
pub struct GitHub {
    /// Its base address, without a slash at the end.
    pub url: String,
    world: Shared,
    server: JoinHandle<()>,
}

impl GitHub {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(world: GitHubWorld) -> Self {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), world).await
    }

    /// Starts at this address.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn listen(at: SocketAddr, world: GitHubWorld) -> Self {
        let listener = TcpListener::bind(at).await.expect("an address is free");
        let address = listener.local_addr().expect("it listens");
        let url = format!("http://{address}");
        let mut world = world;
        world.url.clone_from(&url);
        let world: Shared = Arc::new(Mutex::new(world));
        let router = router(world.clone());
        let server = tokio::spawn(async move {
            // It serves until the task is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Self { url, world, server }
    }

    /// Returns the address of the API.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}{API}", self.url)
    }

    /// Locks the state, to arrange it or to look at it. Hold the lock for a moment only.
    pub fn world(&self) -> MutexGuard<'_, GitHubWorld> {
        lock(&self.world)
    }

    /// Emits an event of a repository to each webhook that receives it. Returns the status of each response; 0 if there
    /// was none.
    pub async fn emit(&self, repository: u64, event: &str, payload: &Value) -> Vec<u16> {
        let parcels = self.world().parcels(repository, event, payload);
        let mut answers = Vec::new();
        for parcel in parcels {
            answers.push(deliver::post(&self.world, parcel).await);
        }
        answers
    }

    /// Returns the environment with which `ck8s up` uses it.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let world = self.world();
        [
            ("CK8S_GITHUB_URL", self.url.clone()),
            ("CK8S_GITHUB_API_URL", self.api_url()),
            ("CK8S_GITHUB_CLIENT_ID", world.app.client_id.clone()),
            ("CK8S_GITHUB_CLIENT_SECRET", world.app.client_secret.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Locks the state, even if a test panicked while it held the lock.
fn lock(world: &Shared) -> MutexGuard<'_, GitHubWorld> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn router(world: Shared) -> Router {
    Router::new()
        .route("/login/oauth/authorize", get(web::ask).post(web::answer))
        .route("/login/oauth/access_token", post(oauth::token))
        .route("/login/device/code", post(device::code))
        .route("/login/device", get(device::ask).post(device::answer))
        .nest(API, api::router(&world))
        // Faults hit GitHub's endpoints only, so that a test can always switch them off.
        .route_layer(middleware::from_fn_with_state(
            world.clone(),
            fault_injection::strike,
        ))
        .nest("/_world", control::router())
        .with_state(world)
}
