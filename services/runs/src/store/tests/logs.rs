//! Logs.
use bytes::Bytes;
use ck8s_types::Epoch;

use super::*;
use crate::domain::{LogEnd, LogStream, NewLogChunk};

fn chunk(lease: LeaseRef, start: i64, data: &[u8]) -> NewLogChunk {
    NewLogChunk {
        lease,
        attempt: 1,
        start,
        end: start + i64::try_from(data.len()).unwrap(),
        first: start,
        stream: LogStream::Output,
        data: data.to_vec(),
        position: None,
    }
}

#[tokio::test]
async fn pieces_are_read_from_the_one_that_holds_the_offset() {
    let world = world().await;
    let lease = world.running(1).await.lease;
    let mut conn = world.conn().await;
    let pieces = [
        chunk(lease, 0, b"abc"),
        chunk(lease, 3, b"def"),
        chunk(lease, 6, b"ghi"),
    ];
    let stored = store::logs::append(&mut conn, &pieces.each_ref())
        .await
        .unwrap();
    assert_eq!(stored.len(), 3);
    let read = store::logs::read(&mut conn, lease.run_id, 1, 4, 10)
        .await
        .unwrap();
    let data: Vec<Bytes> = read.into_iter().map(|c| c.data).collect();
    assert_eq!(data, [Bytes::from("def"), Bytes::from("ghi")]);
    let end = store::logs::end_of(&mut conn, lease, Some(&worker("w1"))).await;
    let expected = LogEnd {
        attempt: 1,
        offset: 9,
    };
    assert_eq!(end.unwrap(), Some(expected));
}

#[tokio::test]
async fn pieces_of_a_stale_epoch_are_not_stored() {
    let world = world().await;
    let lease = world.running(1).await.lease;
    let stale = LeaseRef {
        epoch: Epoch(0),
        ..lease
    };
    let mut conn = world.conn().await;
    let piece = chunk(stale, 0, b"late");
    assert!(
        store::logs::append(&mut conn, &[&piece])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        store::logs::end_of(&mut conn, stale, None).await.unwrap(),
        None
    );
    let stranger = worker("w2");
    let end = store::logs::end_of(&mut conn, lease, Some(&stranger)).await;
    assert_eq!(end.unwrap(), None, "another worker's lease");
    let read = store::logs::read(&mut conn, lease.run_id, 1, 0, 10).await;
    assert!(read.unwrap().is_empty());
}

#[tokio::test]
async fn pieces_that_another_replica_cut_differently_are_not_stored_twice() {
    let world = world().await;
    let lease = world.running(1).await.lease;
    let mut conn = world.conn().await;
    let first = chunk(lease, 0, b"abc");
    store::logs::append(&mut conn, &[&first]).await.unwrap();
    let mut second = chunk(lease, 2, b"cd");
    second.first = 0;
    let stored = store::logs::append(&mut conn, &[&second]).await.unwrap();
    assert!(stored.is_empty(), "it was cut from a place that is taken");
    let stored = store::logs::append(&mut conn, &[&first]).await.unwrap();
    assert!(stored.is_empty(), "it is there already");
}

#[tokio::test]
async fn a_piece_of_the_server_is_told_from_one_of_the_workload() {
    let world = world().await;
    let lease = world.running(1).await.lease;
    let mut conn = world.conn().await;
    let mut notice = chunk(lease, 0, b"cut");
    notice.stream = LogStream::System;
    store::logs::append(&mut conn, &[&notice]).await.unwrap();
    let read = store::logs::read(&mut conn, lease.run_id, 1, 0, 10)
        .await
        .unwrap();
    assert_eq!(read[0].stream, LogStream::System);
}
