//! Heads: far too large, far too slow, and words that errors repeat.
use tokio::io::AsyncWriteExt;

use super::*;

fn head(headers: usize, bytes: usize) -> String {
    let value = "y".repeat(bytes);
    let headers: String = (0..headers)
        .map(|n| format!("x-{n}: {value}\r\n"))
        .collect();
    format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{headers}")
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_slow_heads() {
    let target = Target::start().await;
    let large = head(6, 66_000) + "\r\n";
    let refused = async |from: usize| {
        let Ok(mut stream) = target.connect(from).await else {
            return 1;
        };
        let _ = stream.write_all(large.as_bytes()).await;
        if let Some(answer) = rest(&mut stream, CALL_TIMEOUT).await {
            let text = String::from_utf8_lossy(&answer);
            assert!(
                text.is_empty() || text.starts_with("HTTP/1.1 431"),
                "{text}"
            );
        }
        1
    };
    let attack = flood(16, refused);
    target.suffers("HTTP/1.1, 400 KB of headers", attack).await;

    // Slowloris: heads that never end, a few bytes at a time, and 60 KB at once.
    for (what, first) in [
        ("slow heads, a byte at a time", head(0, 0)),
        ("slow heads, 60 KB each", head(1, 60_000)),
    ] {
        let attack = async {
            let streams = opened(&target, 2_000, first.as_bytes()).await;
            let mut streams = streams;
            let until = Instant::now() + ATTACK_TIME;
            while Instant::now() < until {
                for stream in &mut streams {
                    // Those that the server has closed stay closed.
                    let _ = stream.try_write(b"x");
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            streams.len()
        };
        target.suffers(what, attack).await;
    }
}

/// Opens connections from sixteen addresses and sends this on each.
pub(super) async fn opened(target: &Target, count: usize, first: &[u8]) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for n in 0..count {
        if let Ok(mut stream) = target.connect(n % 16).await {
            let _ = stream.write_all(first).await;
            streams.push(stream);
        }
    }
    streams
}
