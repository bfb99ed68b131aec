//! Bodies: hostile ones without a signature, and ones that do not come to an end.
use tokio::io::AsyncWriteExt;

use super::*;

const LARGE: usize = 24 * 1024 * 1024;

fn webhook_head(bytes: usize) -> String {
    let headers = "content-type: application/json\r\nx-github-event: push\r\nx-github-delivery: d";
    let signature = format!("x-hub-signature-256: sha256={}", "0".repeat(64));
    let path = ck8s_tests::webhook::PATH;
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n{signature}\r\ncontent-length: {bytes}\r\n\r\n"
    )
}

async fn send(target: &Target, from: usize, body: &[u8], length: usize) -> Option<TcpStream> {
    let mut stream = target.connect(from).await.ok()?;
    let head = webhook_head(length);
    stream.write_all(head.as_bytes()).await.ok()?;
    // It may be refused before it has come.
    let _ = tokio::time::timeout(CALL_TIMEOUT, stream.write_all(body)).await;
    Some(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn large_hostile_and_slow_bodies() {
    let target = Target::start().await;
    let mut hostile = br#"{"commits":[0"#.to_vec();
    while hostile.len() + 4 < LARGE {
        hostile.extend_from_slice(b",0");
    }
    hostile.extend_from_slice(b"]}");
    for (what, addresses) in [("one address", 1), ("8 addresses", 8)] {
        let attack = async {
            let each = (0..24).map(|n| {
                let (target, hostile) = (&target, &hostile);
                async move {
                    let stream = send(target, n % addresses, hostile, hostile.len()).await;
                    rest(&mut stream?, CALL_TIMEOUT).await
                }
            });
            futures::future::join_all(each).await.len()
        };
        let what =
            format!("unsigned webhooks of 24 MB, `{{\"commits\":[0,0,…]}}`, at once, {what}");
        target.suffers(&what, attack).await;
    }

    let almost = vec![b' '; LARGE - 1];
    for (what, sent) in [
        ("all but the last byte", &almost[..]),
        ("the first byte", b"{"),
    ] {
        let attack = async {
            let each = (0..24).map(|n| {
                let target = &target;
                async move {
                    let mut stream = send(target, n % 8, sent, LARGE).await?;
                    rest(&mut stream, Duration::from_secs(20)).await
                }
            });
            let ended = futures::future::join_all(each).await;
            assert!(
                ended.iter().all(Option::is_some),
                "slow bodies are not waited for"
            );
            ended.len()
        };
        let what = format!("webhooks of 24 MB that stop after {what}, 8 addresses");
        target.suffers(&what, attack).await;
    }
}
