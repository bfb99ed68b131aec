//! The fake GitHub as a server: its listener, its routes, and what a test does with it.
use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    api, control, deliver, device, fault_injection, oauth,
    shared::{API, Shared, lock},
    web,
    world::GitHubWorld,
};

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
        deliver::emit(&self.world, repository, event, payload).await
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
