//! Connections: ten thousand that do nothing, and clients that take nothing of what they asked for.
use tokio::io::AsyncWriteExt;

use super::{heads::opened, *};

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections() {
    let target = Target::start().await;
    let mut held = Vec::new();
    let silent = async {
        held = opened(&target, 10_000, b"").await;
        tokio::time::sleep(ATTACK_TIME / 2).await;
        held.len()
    };
    target
        .suffers("10,000 connections that say nothing", silent)
        .await;
    held.clear();
    let kept = async {
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        held = opened(&target, 10_000, request).await;
        tokio::time::sleep(ATTACK_TIME / 2).await;
        held.len()
    };
    target
        .suffers("10,000 connections kept after a request", kept)
        .await;
    held.clear();
    let unread = async {
        let mut streams = Vec::new();
        for n in 0..500 {
            let Ok(mut stream) = target.connect(n % 16).await else {
                continue;
            };
            let asked = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(40);
            let _ = stream.write_all(asked.as_bytes()).await;
            streams.push(stream);
        }
        tokio::time::sleep(ATTACK_TIME / 2).await;
        streams.len() * 40
    };
    target
        .suffers("requests whose answers nobody reads", unread)
        .await;
}
