//! A server that webhooks are posted to.
use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, routing::post};
use http::{HeaderMap, StatusCode};
use tokio::{net::TcpListener, task::JoinHandle};

/// What came: headers and body.
type Came = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// It answers with a status that a test can change.
pub struct Receiver {
    pub url: String,
    pub came: Came,
    pub answers: Arc<Mutex<StatusCode>>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    came: Came,
    answers: Arc<Mutex<StatusCode>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let shared = Shared {
            came: Came::default(),
            answers: Arc::new(Mutex::new(StatusCode::ACCEPTED)),
        };
        let router = Router::new()
            .route("/hook", post(take))
            .with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            came: shared.came,
            answers: shared.answers,
            server,
        }
    }

    /// The delivery ids that came, in order.
    pub fn ids(&self) -> Vec<String> {
        let came = self.came.lock().unwrap();
        let ids = came
            .iter()
            .map(|(headers, _)| headers["x-github-delivery"].to_str().unwrap());
        ids.map(str::to_owned).collect()
    }
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    shared.came.lock().unwrap().push((headers, body));
    *shared.answers.lock().unwrap()
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}
