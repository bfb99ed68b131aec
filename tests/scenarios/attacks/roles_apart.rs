//! Roles in processes of their own share connections: long heads and long words of one caller must not end the calls
//! and streams of others.
use ck8s_pki::Identity;
use ck8s_proto::runs::v1::{LeaseRef, ListSlotsRequest, OpenRunSecretsRequest, WatchRunsRequest};
use ck8s_tests::{Fleet, ManualWorker, manual_worker::hello, script};
use tokio::io::AsyncWriteExt;
use tonic::Code;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn long_heads_and_words_end_no_stream_of_others() {
    let fleet = Fleet::start(1, &[]).await;
    fleet.admin.project("acme", 1).await;
    let mut runs = fleet.admin.runs();
    let watching = runs.watch_runs(WatchRunsRequest::default());
    let mut watch = watching.await.unwrap().into_inner();
    watch.message().await.unwrap().expect("the watch begins");
    let bundle = fleet.issued(&Identity::Worker("node-1".parse().unwrap()), -1, 1);
    let as_worker = Api::over(fleet.dial(&bundle, "runs", 0, "runs"));
    let mut hand = ManualWorker::connect(&as_worker, hello("node-1", 1)).await;

    let long = "x".repeat(100_000);
    let head: String = (0..6)
        .map(|n| format!("x-{n}: {}\r\n", &long[..66_000]))
        .collect();
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{head}\r\n");
    let edge = fleet.edge(0);
    for _ in 0..20 {
        let mut stream = TcpStream::connect(edge.trim_start_matches("http://"))
            .await
            .unwrap();
        let _ = stream.write_all(head.as_bytes()).await;
        let answer = rest(&mut stream, CALL_TIMEOUT).await.expect("it is closed");
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));

        // The same at a person's call, and on the connection that carries the lease stream.
        let request = ListSlotsRequest {
            project: long.clone(),
            ..ListSlotsRequest::default()
        };
        let refused = fleet.admin.runs().list_slots(request).await.unwrap_err();
        let wanted = [Code::NotFound, Code::InvalidArgument];
        assert!(wanted.contains(&refused.code()), "{refused:.300?}");
        let request = OpenRunSecretsRequest {
            lease: Some(LeaseRef {
                run_id: long.clone(),
                ..LeaseRef::default()
            }),
        };
        let refused = as_worker.leases().open_run_secrets(request).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:.300?}");
        call(fleet.admin.clone()).await.unwrap();
    }

    let run = fleet.admin.start("acme", script("true")).await;
    hand.grant_of(&run.id).await;
    let seen = async {
        while let Some(change) = watch.message().await.expect("the watch goes on") {
            if change.run.is_some_and(|seen| seen.id == run.id) {
                return;
            }
        }
        panic!("the watch ended");
    };
    tokio::time::timeout(CALL_TIMEOUT, seen)
        .await
        .expect("the run is seen");
}
