//! Sharing of loads, refreshing, expiry, and forgetting.
use std::sync::{Mutex, atomic::AtomicUsize};

use tokio::sync::Semaphore;

use super::*;

const LASTING: Policy = Policy {
    found_lifetime: Duration::from_secs(600),
    absent_lifetime: Duration::from_secs(600),
    refresh_age: Duration::from_secs(600),
    max_entries: 1_000,
};

/// A source of values: an even id has its own number as value, an odd one has none.
struct Source {
    cache: BatchCache<u64>,
    calls: Arc<Mutex<Vec<Vec<u64>>>>,
    /// Each load takes one permit before it ends.
    permits: Arc<Semaphore>,
    failures: Arc<AtomicUsize>,
}

impl Source {
    fn new(policy: Policy, permits: usize) -> Self {
        let calls: Arc<Mutex<Vec<Vec<u64>>>> = Arc::default();
        let permits = Arc::new(Semaphore::new(permits));
        let failures: Arc<AtomicUsize> = Arc::default();
        let load = {
            let (calls, permits, failures) = (calls.clone(), permits.clone(), failures.clone());
            move |ids: Vec<u64>| {
                calls.lock().expect("not poisoned").push(ids.clone());
                let (permits, failures) = (permits.clone(), failures.clone());
                async move {
                    permits.acquire().await.expect("open").forget();
                    let fails = failures
                        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1))
                        .is_ok();
                    if fails {
                        return Err(ServiceUnavailable::repositories("it fails"));
                    }
                    let even = ids.into_iter().filter(|id| id % 2 == 0);
                    Ok(Arc::new(even.map(|id| (id, Arc::new(id))).collect()))
                }
            }
        };
        Self {
            cache: BatchCache::new(policy, load),
            calls,
            permits,
            failures,
        }
    }

    async fn get(&self, ids: &[u64]) -> Vec<Result<Option<u64>, ()>> {
        let values = self.cache.get_many(ids).await;
        let plain = |value: Option<Arc<u64>>| value.map(|v| *v);
        values
            .into_iter()
            .map(|value| value.map(plain).map_err(drop))
            .collect()
    }

    fn calls(&self) -> Vec<Vec<u64>> {
        self.calls.lock().expect("not poisoned").clone()
    }

    async fn until_calls(&self, count: usize) {
        let reached = async {
            while self.calls().len() < count {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(10), reached).await;
        in_time.unwrap_or_else(|_| panic!("{:?}", self.calls()));
    }
}

#[tokio::test]
async fn missing_ids_are_loaded_in_one_call_and_kept() {
    let source = Source::new(LASTING, 10);
    assert_eq!(
        source.get(&[4, 1, 2]).await,
        [Ok(Some(4)), Ok(None), Ok(Some(2))]
    );
    assert_eq!(
        source.get(&[2, 6, 1]).await,
        [Ok(Some(2)), Ok(Some(6)), Ok(None)]
    );
    assert_eq!(source.calls(), [vec![1, 2, 4], vec![6]]);
}

#[tokio::test]
async fn concurrent_callers_share_the_load_of_an_id() {
    let source = Source::new(LASTING, 0);
    let release = async {
        source.until_calls(2).await;
        source.permits.add_permits(2);
    };
    let (first, second, third, ()) = futures::join!(
        source.get(&[2, 4]),
        source.get(&[4, 6]),
        source.get(&[2, 6]),
        release
    );
    assert_eq!(first, [Ok(Some(2)), Ok(Some(4))]);
    assert_eq!(second, [Ok(Some(4)), Ok(Some(6))]);
    assert_eq!(third, [Ok(Some(2)), Ok(Some(6))]);
    assert_eq!(source.calls(), [vec![2, 4], vec![6]]);
}

#[tokio::test]
async fn a_failed_load_is_not_kept() {
    let source = Source::new(LASTING, 10);
    source.failures.store(1, Ordering::Release);
    assert_eq!(source.get(&[2, 3]).await, [Err(()), Err(())]);
    assert_eq!(source.get(&[2, 3]).await, [Ok(Some(2)), Ok(None)]);
}

#[tokio::test]
async fn clearing_forgets_what_is_kept_and_what_is_being_loaded() {
    let source = Source::new(LASTING, 1);
    source.get(&[2]).await;
    source.cache.clear();
    let clear_meanwhile = async {
        source.until_calls(2).await;
        source.cache.clear();
        source.permits.add_permits(2);
    };
    let (value, ()) = futures::join!(source.get(&[2]), clear_meanwhile);
    assert_eq!(value, [Ok(Some(2))]);
    assert_eq!(source.get(&[2]).await, [Ok(Some(2))]);
    assert_eq!(source.calls().len(), 3);
}

#[tokio::test]
async fn an_aged_value_is_refreshed_beside_its_use_and_survives_a_failure() {
    let policy = Policy {
        refresh_age: Duration::ZERO,
        ..LASTING
    };
    let source = Source::new(policy, 1);
    source.get(&[2]).await;
    source.failures.store(1, Ordering::Release);
    // The refresh waits for a permit, and nobody waits for the refresh.
    for _ in 0..10 {
        assert_eq!(source.get(&[2]).await, [Ok(Some(2))]);
    }
    source.until_calls(2).await;
    assert_eq!(source.calls().len(), 2, "one refresh at a time");
    source.permits.add_permits(1);
    // It failed: the value stays, and a later use tries again.
    let tried_again = async {
        while source.calls().len() < 3 {
            assert_eq!(source.get(&[2]).await, [Ok(Some(2))]);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), tried_again)
        .await
        .expect("in time");
}

#[tokio::test]
async fn an_absent_id_expires_on_its_own() {
    let policy = Policy {
        absent_lifetime: Duration::from_millis(1),
        ..LASTING
    };
    let source = Source::new(policy, 1_000);
    let loaded_again = async {
        while source.calls().len() < 3 {
            assert_eq!(source.get(&[1, 2]).await, [Ok(None), Ok(Some(2))]);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), loaded_again)
        .await
        .expect("in time");
    assert_eq!(source.calls(), [vec![1, 2], vec![1], vec![1]]);
}
