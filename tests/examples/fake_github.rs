//! The fake GitHub as a process of its own, for tests that are not written in Rust. It prints one line of JSON: its
//! address and the app's client id and secret. It ends when its standard input does.
#![allow(clippy::expect_used, clippy::print_stdout)]

use std::net::SocketAddr;

use ck8s_tests::github::{GitHub, GitHubWorld};
use serde_json::json;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let callback = args
        .next()
        .expect("the app's callback address is the first argument");
    let at = SocketAddr::from(([127, 0, 0, 1], 0));
    let github = GitHub::listen(at, GitHubWorld::new(&callback)).await;
    let app = github.world().app.clone();
    println!(
        "{}",
        json!({
            "url": github.url,
            "api_url": github.api_url(),
            "client_id": app.client_id,
            "client_secret": app.client_secret,
        })
    );
    // Whoever started it has gone when this ends.
    let gone =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = gone.await;
}
