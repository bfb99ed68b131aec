//! One watch on pods and one on Jobs for all runs of a worker. Each run sees its own part.
use std::{collections::HashMap, sync::Arc};

use futures::{Stream, TryStreamExt};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    installation::Installation,
    job_name::JobName,
    labels::{INSTALLATION, managed_selector},
    pod_view::PodView,
    workload_view::{JobView, WorkloadView, WorkloadWatch},
};

/// How long the API server keeps one watch open, in seconds: shorter than a connection may be silent. Each next one
/// begins where the last one ended, and what was missed meanwhile is seen.
const WATCH_SECONDS: u32 = 30;

/// Returns the settings of every watch.
pub(crate) fn watch_config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

/// What is known of all workloads. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct ClusterWatch(Arc<Mutex<HashMap<JobName, watch::Sender<WorkloadView>>>>);

impl ClusterWatch {
    /// Watches what an installation made, until `stop`; and what carries no installation's id, since an older program
    /// of this installation may have made it.
    pub(crate) fn spawn(
        &self,
        client: &Client,
        installation: Installation,
        stop: &CancellationToken,
    ) {
        let selectors = match installation.selector() {
            Some(ours) => vec![ours, format!("{},!{INSTALLATION}", managed_selector())],
            None => vec![managed_selector()],
        };
        for selector in selectors {
            let config = watch_config().labels(&selector);
            let pods = watcher(Api::<Pod>::all(client.clone()), config.clone()).default_backoff();
            let jobs = watcher(Api::<Job>::all(client.clone()), config).default_backoff();
            let pods = self.clone().follow(pods, Self::apply_pod, Self::remove_pod);
            let jobs = self.clone().follow(jobs, Self::apply_job, Self::remove_job);
            let stop = stop.clone();
            tokio::spawn(async move {
                stop.run_until_cancelled(async { tokio::join!(pods, jobs) })
                    .await
            });
        }
    }

    /// Returns the view of one workload.
    pub(crate) fn workload(&self, job: &JobName) -> WorkloadWatch {
        self.update(job, |_| false)
    }

    /// Updates the view of one workload. `update` returns whether it has changed.
    fn update(
        &self,
        job: &JobName,
        update: impl FnOnce(&mut WorkloadView) -> bool,
    ) -> WorkloadWatch {
        let mut workloads = self.0.lock();
        let sender = workloads
            .entry(job.clone())
            .or_insert_with(|| watch::Sender::new(WorkloadView::default()));
        sender.send_if_modified(update);
        sender.subscribe()
    }

    /// Drops the workloads that nobody watches and of which nothing is left.
    fn drop_unused(&self) {
        self.0.lock().retain(|_, sender| {
            let is_empty = sender.borrow().pods.is_empty() && sender.borrow().job.is_none();
            !is_empty || sender.receiver_count() > 0
        });
    }

    /// Follows one stream of objects of one kind. What a new listing lacks, of all that this stream brought, is gone.
    async fn follow<K: ResourceExt>(
        self,
        stream: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
        apply: fn(&Self, &K),
        remove: fn(&Self, &JobName, &str),
    ) {
        let mut stream = std::pin::pin!(stream);
        let (mut known, mut listed) = (HashMap::new(), HashMap::new());
        let entry = |object: &K| Some((object.uid()?, JobName::of(object)?));
        loop {
            match stream.try_next().await {
                Ok(Some(watcher::Event::Init)) => listed.clear(),
                Ok(Some(watcher::Event::InitApply(object))) => {
                    listed.extend(entry(&object));
                    apply(&self, &object);
                }
                Ok(Some(watcher::Event::InitDone)) => {
                    for (uid, job) in std::mem::replace(&mut known, listed.clone()) {
                        if !listed.contains_key(&uid) {
                            remove(&self, &job, &uid);
                        }
                    }
                    self.drop_unused();
                }
                Ok(Some(watcher::Event::Apply(object))) => {
                    known.extend(entry(&object));
                    apply(&self, &object);
                }
                Ok(Some(watcher::Event::Delete(object))) => {
                    if let Some((uid, job)) = entry(&object) {
                        known.remove(&uid);
                        apply(&self, &object);
                        remove(&self, &job, &uid);
                        self.drop_unused();
                    }
                }
                Ok(None) => return,
                Err(error) => tracing::warn!(%error, "a watch on workloads broke; it starts again"),
            }
        }
    }

    fn apply_pod(&self, pod: &Pod) {
        let Some(job) = JobName::of(pod) else { return };
        let pod = PodView::of(pod);
        self.update(&job, |view| {
            match view.pods.iter_mut().find(|p| p.uid == pod.uid) {
                Some(current) if *current == pod => return false,
                Some(current) => *current = pod,
                None => view.pods.push(pod),
            }
            true
        });
    }

    fn remove_pod(&self, job: &JobName, uid: &str) {
        self.update(job, |view| {
            let at = view.pods.iter().position(|p| p.uid == uid);
            if let Some(at) = at {
                view.last_removed = Some(view.pods.remove(at));
            }
            at.is_some()
        });
    }

    fn apply_job(&self, job: &Job) {
        let Some(name) = JobName::of(job) else { return };
        let job = JobView::of(job);
        self.update(&name, |view| {
            let changed = view.job.as_ref() != Some(&job);
            view.job = Some(job);
            changed
        });
    }

    fn remove_job(&self, name: &JobName, uid: &str) {
        self.update(name, |view| {
            let removed = view.job.as_ref().is_some_and(|j| j.uid == uid);
            if removed {
                view.job = None;
            }
            removed
        });
    }
}
