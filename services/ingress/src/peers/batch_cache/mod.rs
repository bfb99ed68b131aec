//! A cache that loads many keys in one call. Concurrent callers share the call for a key, and values are refreshed
//! in the background.
use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use moka::{Expiry, sync::Cache};
use tokio::sync::oneshot;

use crate::domain::unavailable::ServiceUnavailable;

/// How long values count, and how many are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// The lifetime of a value.
    pub(super) found_lifetime: Duration,
    /// The lifetime of the knowledge that there is no value.
    pub(super) absent_lifetime: Duration,
    /// The age from which the use of a value refreshes it.
    pub(super) refresh_age: Duration,
    /// Bounds what strangers can make the cache remember.
    pub(super) max_entries: u64,
}

/// The values of those keys that have one.
pub(super) type Loaded<V> = Result<Arc<HashMap<u64, Arc<V>>>, ServiceUnavailable>;

/// A load under way, awaited by everybody who needs one of its keys.
type SharedLoad<V> = Shared<BoxFuture<'static, Loaded<V>>>;

type LoadFn<V> = dyn Fn(Vec<u64>) -> BoxFuture<'static, Loaded<V>> + Send + Sync;

/// A key within one generation. Clearing the cache begins another generation, so that a load that began before is not
/// found after it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    generation: u64,
    id: u64,
}

enum Entry<V> {
    Loading(SharedLoad<V>),
    Ready(Arc<Ready<V>>),
}

struct Ready<V> {
    /// None: there is no value.
    value: Option<Arc<V>>,
    loaded_at: Instant,
    is_refreshing: AtomicBool,
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Loading(load) => Self::Loading(load.clone()),
            Self::Ready(ready) => Self::Ready(ready.clone()),
        }
    }
}

impl<V> Expiry<Key, Entry<V>> for Policy {
    fn expire_after_create(&self, _: &Key, entry: &Entry<V>, _: Instant) -> Option<Duration> {
        match entry {
            Entry::Loading(_) => None,
            Entry::Ready(ready) if ready.value.is_some() => Some(self.found_lifetime),
            Entry::Ready(_) => Some(self.absent_lifetime),
        }
    }

    fn expire_after_update(
        &self,
        key: &Key,
        entry: &Entry<V>,
        updated_at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, entry, updated_at)
    }
}

/// The cache; a clone is the same cache.
pub(super) struct BatchCache<V> {
    inner: Arc<Inner<V>>,
}

struct Inner<V> {
    entries: Cache<Key, Entry<V>>,
    generation: AtomicU64,
    refresh_age: Duration,
    load: Box<LoadFn<V>>,
}

impl<V> Clone for BatchCache<V> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<V: Send + Sync + 'static> BatchCache<V> {
    pub(super) fn new<F>(
        policy: Policy,
        load: impl Fn(Vec<u64>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Loaded<V>> + Send + 'static,
    {
        let entries = Cache::builder()
            .max_capacity(policy.max_entries)
            .expire_after(policy)
            .build();
        Self {
            inner: Arc::new(Inner {
                entries,
                generation: AtomicU64::new(0),
                refresh_age: policy.refresh_age,
                load: Box::new(move |ids| load(ids).boxed()),
            }),
        }
    }

    /// Forgets everything. What is being loaded now is not kept.
    pub(super) fn clear(&self) {
        self.inner.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns the value of each id, in order. What is missing is loaded in one call.
    pub(super) async fn get_many(
        &self,
        ids: &[u64],
    ) -> Vec<Result<Option<Arc<V>>, ServiceUnavailable>> {
        let generation = self.inner.generation.load(Ordering::Acquire);
        let mut results = vec![Ok(None); ids.len()];
        let (mut loads, mut missing, mut aged) = (Vec::new(), Vec::new(), Vec::new());
        for (nr, id) in ids.iter().enumerate() {
            let key = Key {
                generation,
                id: *id,
            };
            match self.inner.entries.get(&key) {
                Some(Entry::Ready(ready)) => {
                    results[nr] = Ok(ready.value.clone());
                    if ready.begin_refresh(self.inner.refresh_age) {
                        aged.push((key, ready));
                    }
                }
                Some(Entry::Loading(load)) => loads.push((nr, load)),
                None => missing.push((nr, key)),
            }
        }
        if !aged.is_empty() {
            self.refresh(aged);
        }
        if !missing.is_empty() {
            self.load_missing(&missing, |nr, entry| match entry {
                Entry::Loading(load) => loads.push((nr, load)),
                Entry::Ready(ready) => results[nr] = Ok(ready.value.clone()),
            });
        }
        for (nr, load) in loads {
            results[nr] = load.await.map(|values| values.get(&ids[nr]).cloned());
        }
        results
    }

    /// Starts one load for those keys that no other caller has begun to load meanwhile. Hands out the entry of each
    /// key.
    fn load_missing(&self, missing: &[(usize, Key)], mut hand_out: impl FnMut(usize, Entry<V>)) {
        let (done, loaded) = oneshot::channel();
        let load: SharedLoad<V> = async move {
            let aborted = |_| Err(ServiceUnavailable::repositories("the call was aborted"));
            loaded.await.unwrap_or_else(aborted)
        }
        .boxed()
        .shared();
        let mut ours = Vec::with_capacity(missing.len());
        for (nr, key) in missing {
            let entry = self.inner.entries.entry(*key);
            let entry = entry.or_insert_with(|| Entry::Loading(load.clone()));
            if entry.is_fresh() {
                ours.push(*key);
            }
            hand_out(*nr, entry.into_value());
        }
        if ours.is_empty() {
            return;
        }
        // A task of its own: the load ends and is kept, whoever still waits for it.
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let loaded = inner.load(&ours).await;
            match &loaded {
                Ok(values) => inner.keep(&ours, values),
                Err(_) => inner.drop_loading(&ours),
            }
            let _ = done.send(loaded);
        });
    }

    /// Loads these again. Where that fails, the old values stay, and their next use tries again.
    fn refresh(&self, aged: Vec<(Key, Arc<Ready<V>>)>) {
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let keys: Vec<Key> = aged.iter().map(|(key, _)| *key).collect();
            match inner.load(&keys).await {
                Ok(values) => inner.keep(&keys, &values),
                Err(_) => {
                    for (_, ready) in aged {
                        ready.is_refreshing.store(false, Ordering::Release);
                    }
                }
            }
        });
    }
}

impl<V: Send + Sync + 'static> Inner<V> {
    async fn load(&self, keys: &[Key]) -> Loaded<V> {
        let mut ids: Vec<u64> = keys.iter().map(|key| key.id).collect();
        ids.sort_unstable();
        ids.dedup();
        (self.load)(ids).await
    }

    fn keep(&self, keys: &[Key], values: &HashMap<u64, Arc<V>>) {
        for key in keys {
            let ready = Ready {
                value: values.get(&key.id).cloned(),
                loaded_at: Instant::now(),
                is_refreshing: AtomicBool::new(false),
            };
            self.entries.insert(*key, Entry::Ready(Arc::new(ready)));
        }
    }

    fn drop_loading(&self, keys: &[Key]) {
        for key in keys {
            if matches!(self.entries.get(key), Some(Entry::Loading(_))) {
                self.entries.invalidate(key);
            }
        }
    }
}

impl<V> Ready<V> {
    /// Returns true once, when a value has the age to be refreshed.
    fn begin_refresh(&self, age: Duration) -> bool {
        self.value.is_some()
            && self.loaded_at.elapsed() > age
            && !self.is_refreshing.swap(true, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests;
