//! What a worker receives, and when.
use std::{collections::BTreeSet, time::Duration};

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::*;

#[tokio::test]
async fn what_waits_comes_together_and_in_order() {
    let (sender, receiver) = mpsc::channel(10);
    let mut batches = Batches::new(receiver, 3);
    for n in 0..4 {
        sender.send(n).await.expect("there is room");
    }
    assert_eq!(batches.next().await, Some(&mut vec![0, 1, 2]));
    assert_eq!(batches.next().await, Some(&mut vec![3]));
    sender.send(4).await.expect("there is room");
    drop(sender);
    assert_eq!(batches.next().await, Some(&mut vec![4]));
    assert_eq!(batches.next().await, None);
}

#[tokio::test]
async fn the_buffer_is_reused() {
    let (sender, receiver) = mpsc::channel(10);
    let mut batches = Batches::new(receiver, 4);
    for n in 0..3 {
        sender.send(n).await.expect("there is room");
        let batch = batches.next().await.expect("one waits");
        assert_eq!(batch.pop(), Some(n));
        assert_eq!(batch.capacity(), 4);
    }
}

#[tokio::test]
async fn a_full_queue_holds_its_senders_back() {
    let (sender, receiver) = mpsc::channel(2);
    let mut batches = Batches::new(receiver, 10);
    for n in 0..2 {
        sender.try_send(n).expect("there is room");
    }
    assert!(sender.try_send(2).is_err());
    assert_eq!(batches.next().await.map(|batch| batch.len()), Some(2));
    assert!(sender.try_send(2).is_ok());
}

#[tokio::test]
async fn while_one_worker_is_busy_another_one_takes_the_next_batch() {
    let (sender, receiver) = mpsc::channel(10);
    let (report, mut reports) = mpsc::channel(10);
    let workers: Vec<_> = Batches::new(receiver, 1)
        .workers(2)
        .map(|mut batches| {
            let report = report.clone();
            AbortOnDropHandle::new(tokio::spawn(async move {
                while let Some(batch) = batches.next().await {
                    let (n, release): (u32, oneshot::Receiver<()>) = batch.remove(0);
                    report.send(n).await.expect("somebody listens");
                    release.await.ok();
                }
            }))
        })
        .collect();
    let mut releases = Vec::new();
    for n in 0..3 {
        let (release, released) = oneshot::channel();
        sender.send((n, released)).await.expect("there is room");
        releases.push(release);
    }
    let busy = BTreeSet::from([reports.recv().await, reports.recv().await]);
    assert_eq!(busy, BTreeSet::from([Some(0), Some(1)]));
    assert!(reports.try_recv().is_err());
    drop(releases);
    assert_eq!(reports.recv().await, Some(2));
    drop(sender);
    for worker in workers {
        worker.await.expect("it ends when nobody can send any more");
    }
}

#[tokio::test]
async fn hints_gather_and_a_canceled_wait_loses_none() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut batches = Batches::new(receiver, 3).gathering(Duration::from_millis(10));
    sender.send(0).expect("there is room");
    assert!(batches.next().now_or_never().is_none());
    for n in 1..5 {
        sender.send(n).expect("there is room");
    }
    assert_eq!(batches.next().await, Some(&mut vec![0, 1, 2]));
    assert_eq!(batches.next().await, Some(&mut vec![3, 4]));
}

#[test]
fn a_batch_is_split_by_bytes_and_a_large_item_goes_alone() {
    let mut batch = vec![4, 4, 20, 1, 10];
    let parts: Vec<Vec<usize>> = split_by_size(&mut batch, 10, |n| *n).collect();
    assert_eq!(parts, [vec![4, 4], vec![20], vec![1], vec![10]]);
    assert!(batch.is_empty());
}
