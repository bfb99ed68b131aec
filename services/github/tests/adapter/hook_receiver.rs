//! A server that webhooks are posted to.
use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, routing::post};
use http::{HeaderMap, StatusCode};
use tokio::{net::TcpListener, task::JoinHandle};

/// The requests that were received: headers and body.
type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// The server. It answers with a status that a test can change.
pub(crate) struct HookReceiver {
    pub url: String,
    pub received: Received,
    pub response_status: Arc<Mutex<StatusCode>>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    received: Received,
    response_status: Arc<Mutex<StatusCode>>,
}

impl HookReceiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let shared = Shared {
            received: Received::default(),
            response_status: Arc::new(Mutex::new(StatusCode::ACCEPTED)),
        };
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            received: shared.received,
            response_status: shared.response_status,
            server,
        }
    }

    /// Returns the delivery ids, in the order of their arrival.
    pub(crate) fn delivery_ids(&self) -> Vec<String> {
        let received = self.received.lock().unwrap();
        let ids = received
            .iter()
            .map(|(headers, _)| headers["x-github-delivery"].to_str().unwrap());
        ids.map(str::to_owned).collect()
    }
}

async fn receive(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    shared.received.lock().unwrap().push((headers, body));
    *shared.response_status.lock().unwrap()
}

impl Drop for HookReceiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}
