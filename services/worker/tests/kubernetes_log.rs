//! The log of a pod over connections that break, and over workers (`CK8S_TEST_KUBECONFIG`): every line once, in order.
mod common;

use std::time::{Duration, Instant};

use ck8s_types::{Epoch, RunReason};
use ck8s_worker::{LogPosition, StoredLog};
use common::{
    Fixture, Log, end, installation, kubeconfig, kubernetes, kubernetes_at, request, running, spec,
    within,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A way to the API server whose connections all break when it is told so.
struct BreakingProxy {
    breaks: watch::Sender<()>,
    /// How many connections, from the first, say nothing more, though they stay open.
    silent: watch::Sender<usize>,
    opened: watch::Sender<usize>,
    fixture: Fixture,
    _dir: tempfile::TempDir,
}

impl BreakingProxy {
    async fn start() -> Option<Self> {
        let text = std::fs::read_to_string(kubeconfig()?).expect("is read");
        let server = text.split("https://").nth(1).expect("a server");
        let end = server.find(|c: char| c.is_whitespace() || c == '"');
        let server = server[..end.unwrap_or(server.len())].to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = listener.local_addr().expect("an address").to_string();
        let dir = tempfile::tempdir().expect("a directory");
        let kubeconfig = dir.path().join("kubeconfig");
        std::fs::write(&kubeconfig, text.replace(&server, &address)).expect("is written");
        let breaks = watch::Sender::new(());
        let broken = breaks.clone();
        let (silent, opened) = (watch::Sender::new(0), watch::Sender::new(0));
        let (falls_silent, counter) = (silent.clone(), opened.clone());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, mut broken) = (server.clone(), broken.subscribe());
                let mut silent = falls_silent.subscribe();
                let nr = *counter.borrow();
                counter.send_modify(|count| *count += 1);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(&server).await?;
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = broken.changed() => {}
                        () = fallen_silent(&mut silent, nr) => {
                            // The worker keeps its end open, or gives up.
                            std::future::pending::<()>().await;
                        }
                    }
                    std::io::Result::Ok(())
                });
            }
        });
        Some(Self {
            fixture: kubernetes_at(&kubeconfig, installation()).await,
            breaks,
            silent,
            opened,
            _dir: dir,
        })
    }
}

/// Waits until the connection with this number is among those that fall silent.
async fn fallen_silent(silent: &mut watch::Receiver<usize>, nr: usize) {
    if silent.wait_for(|count| nr < *count).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn counted(lines: std::ops::RangeInclusive<u32>) -> String {
    lines.map(|i| format!("line {i} of the output\n")).collect()
}

const COUNT: &str = "i=0; while [ $i -lt 600 ]; do i=$((i+1)); echo line $i of the output; [ $((i%10)) = 0 ] && sleep 0.1; done; exit 0";

#[tokio::test]
async fn no_line_is_lost_or_doubled_when_connections_break() {
    let Some(proxy) = BreakingProxy::start().await else {
        return;
    };
    let (request, _lease) = request(spec(COUNT));
    let log = Log::new();
    let executor = &proxy.fixture.executor;
    let mut workload = executor.start(&request, &log.sink).await.expect("starts");
    running(&mut workload).await;
    for _ in 0..6 {
        let (before, _) = log.place();
        log.until_more_than(before).await;
        proxy.breaks.send_replace(());
    }
    let exit = end(&mut workload).await.1.expect("ends");
    assert_eq!(exit.reason, RunReason::Completed);
    drop(workload);
    let (output, notes) = log.read().await;
    assert_eq!(output, counted(1..=600));
    assert!(
        !notes.iter().any(|note| note.contains("missing")),
        "{notes:?}"
    );
    within(executor.remove(&request.id, None, Duration::ZERO))
        .await
        .expect("is removed");
}

#[tokio::test]
async fn another_worker_reads_on_from_the_place_that_was_stored() {
    let (Some(fixture), Some(other)) = (kubernetes().await, kubernetes().await) else {
        return;
    };
    let (mut request, _lease) = request(spec(COUNT));
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    running(&mut workload).await;
    log.until_more_than(2000).await;
    let (read, place) = log.place();
    drop(workload);
    let (before, _) = log.read().await;
    // Of the output behind the place, five bytes were stored too. They are read again, and skipped.
    request.epoch = Epoch(2);
    request.stored_log = StoredLog {
        end: 1_000_005,
        position: Some(LogPosition {
            offset: 1_000_000,
            source: Some(place),
        }),
    };
    let log = Log::new();
    let adopted = within(other.executor.adopt(&request, &log.sink)).await;
    let mut workload = adopted.expect("adopts").expect("is there");
    end(&mut workload).await.1.expect("ends");
    drop(workload);
    let (after, notes) = log.read().await;
    let all = counted(1..=600);
    assert_eq!(before[..read], all[..read]);
    assert_eq!(after, all[read + 5..]);
    assert!(
        !notes.iter().any(|note| note.contains("missing")),
        "{notes:?}"
    );
    within(other.executor.remove(&request.id, None, Duration::ZERO))
        .await
        .expect("is removed");
}

#[tokio::test]
async fn a_place_that_the_node_does_not_have_any_more_is_a_gap_that_is_shown() {
    let Some(fixture) = kubernetes().await else {
        return;
    };
    let (mut request, _lease) = request(spec("echo one; sleep 2; echo two; sleep 1"));
    let log = Log::new();
    let workload = fixture.executor.start(&request, &log.sink).await;
    running(&mut workload.expect("starts")).await;
    request.epoch = Epoch(2);
    // As after a rotation: the line at this place is in no file that the node hands out.
    request.stored_log = StoredLog {
        end: 500,
        position: Some(LogPosition {
            offset: 100,
            source: Some("2026-01-01T00:00:00.5Z 10".to_owned()),
        }),
    };
    let log = Log::new();
    let adopted = within(fixture.executor.adopt(&request, &log.sink)).await;
    let mut workload = adopted.expect("adopts").expect("is there");
    end(&mut workload).await.1.expect("ends");
    drop(workload);
    let (output, notes) = log.read().await;
    assert_eq!(output, "one\ntwo\n", "nothing is skipped behind a gap");
    assert!(notes[0].contains("may be missing here"), "{notes:?}");
    within(fixture.executor.remove(&request.id, None, Duration::ZERO))
        .await
        .expect("is removed");
}

#[tokio::test]
async fn a_worker_whose_connections_fall_silent_sees_the_end_all_the_same() {
    let Some(proxy) = BreakingProxy::start().await else {
        return;
    };
    let (request, _lease) = request(spec("echo up; sleep 3; echo end"));
    let log = Log::new();
    let executor = &proxy.fixture.executor;
    let mut workload = executor.start(&request, &log.sink).await.expect("starts");
    running(&mut workload).await;
    log.until_more_than(0).await;
    let opened = *proxy.opened.borrow();
    proxy.silent.send_replace(opened);
    let start = Instant::now();
    let exit = end(&mut workload).await.1.expect("ends");
    assert_eq!(exit.reason, RunReason::Completed);
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
    drop(workload);
    let (output, notes) = log.read().await;
    assert_eq!(output, "up\nend\n");
    assert!(
        !notes.iter().any(|note| note.contains("missing")),
        "{notes:?}"
    );
    within(executor.remove(&request.id, None, Duration::ZERO))
        .await
        .expect("is removed");
}
