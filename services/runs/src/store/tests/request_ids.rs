//! Request ids.
use ck8s_db::request_ids::RequestKey;
use ck8s_types::RequestId;

use super::*;
use crate::{
    error::RunsError,
    store::request_ids::{answer_with_run, claim_for_run},
};

#[tokio::test]
async fn a_repeated_call_gets_the_run_of_the_first_one() {
    let world = world().await;
    let (id, run) = (RequestId::new(), RunId::new());
    let key = RequestKey::new(id, "StartRun", b"content");
    let mut tx = world.pool.begin().await.unwrap();
    let first = claim_for_run(&mut tx, Some(&key)).await.unwrap();
    assert_eq!(first, None);
    answer_with_run(&mut tx, Some(&key), run).await.unwrap();
    tx.commit().await.unwrap();
    let mut conn = world.conn().await;
    let again = claim_for_run(&mut conn, Some(&key)).await.unwrap();
    assert_eq!(again, Some(run));
}

#[tokio::test]
async fn a_request_id_that_was_used_for_another_request_is_refused() {
    let world = world().await;
    let (id, run) = (RequestId::new(), RunId::new());
    let key = RequestKey::new(id, "CancelRun", b"run A");
    let mut conn = world.conn().await;
    claim_for_run(&mut conn, Some(&key)).await.unwrap();
    answer_with_run(&mut conn, Some(&key), run).await.unwrap();
    for other in [
        RequestKey::new(id, "CancelRun", b"run B"),
        RequestKey::new(id, "RetryRun", b"run A"),
    ] {
        let refused = claim_for_run(&mut conn, Some(&other)).await;
        assert!(matches!(refused, Err(RunsError::RequestIdReused(r)) if r == id));
    }
}
