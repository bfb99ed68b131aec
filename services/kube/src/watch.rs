//! One watch on pods and one on Jobs for all runs of a worker. Each run sees its own part.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

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
    job_name::JobName,
    labels::managed_selector,
    pod_view::PodView,
    workload_view::{JobView, WorkloadView, WorkloadWatch},
};

/// What is known of all workloads. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct ClusterWatch(Arc<Mutex<HashMap<JobName, watch::Sender<WorkloadView>>>>);

impl ClusterWatch {
    /// Watches the cluster until `shutdown`.
    pub(crate) fn spawn(&self, client: &Client, shutdown: &CancellationToken) {
        let config = watcher::Config::default().labels(&managed_selector());
        let pods = watcher(Api::<Pod>::all(client.clone()), config.clone()).default_backoff();
        let jobs = watcher(Api::<Job>::all(client.clone()), config).default_backoff();
        let (watch, stop) = (self.clone(), shutdown.clone());
        tokio::spawn(async move {
            stop.run_until_cancelled_owned(watch.follow_pods(pods))
                .await
        });
        let (watch, stop) = (self.clone(), shutdown.clone());
        tokio::spawn(async move {
            stop.run_until_cancelled_owned(watch.follow_jobs(jobs))
                .await
        });
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

    fn workloads(&self) -> Vec<(JobName, WorkloadView)> {
        let workloads = self.0.lock();
        workloads
            .iter()
            .map(|(name, sender)| (name.clone(), sender.borrow().clone()))
            .collect()
    }

    async fn follow_pods(self, stream: impl Stream<Item = watcher::Result<watcher::Event<Pod>>>) {
        let mut stream = std::pin::pin!(stream);
        let mut listed = HashSet::new();
        loop {
            match stream.try_next().await {
                Ok(Some(watcher::Event::Init)) => listed.clear(),
                Ok(Some(watcher::Event::InitApply(pod))) => {
                    listed.insert(pod.uid().unwrap_or_default());
                    self.apply_pod(&pod);
                }
                Ok(Some(watcher::Event::InitDone)) => {
                    for (job, view) in self.workloads() {
                        for pod in view.pods.iter().filter(|p| !listed.contains(&p.uid)) {
                            self.remove_pod(&job, &pod.uid);
                        }
                    }
                }
                Ok(Some(watcher::Event::Apply(pod))) => self.apply_pod(&pod),
                Ok(Some(watcher::Event::Delete(pod))) => {
                    if let Some(job) = JobName::of(&pod) {
                        self.apply_pod(&pod);
                        self.remove_pod(&job, &pod.uid().unwrap_or_default());
                        self.drop_unused();
                    }
                }
                Ok(None) => return,
                Err(error) => tracing::warn!(%error, "the watch on pods broke; it starts again"),
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

    async fn follow_jobs(self, stream: impl Stream<Item = watcher::Result<watcher::Event<Job>>>) {
        let mut stream = std::pin::pin!(stream);
        let mut listed = HashSet::new();
        loop {
            match stream.try_next().await {
                Ok(Some(watcher::Event::Init)) => listed.clear(),
                Ok(Some(watcher::Event::InitApply(job))) => {
                    listed.insert(job.uid().unwrap_or_default());
                    self.apply_job(&job);
                }
                Ok(Some(watcher::Event::InitDone)) => {
                    for (name, view) in self.workloads() {
                        if let Some(job) = view.job.filter(|j| !listed.contains(&j.uid)) {
                            self.remove_job(&name, &job.uid);
                        }
                    }
                }
                Ok(Some(watcher::Event::Apply(job))) => self.apply_job(&job),
                Ok(Some(watcher::Event::Delete(job))) => {
                    if let Some(name) = JobName::of(&job) {
                        self.remove_job(&name, &job.uid().unwrap_or_default());
                        self.drop_unused();
                    }
                }
                Ok(None) => return,
                Err(error) => tracing::warn!(%error, "the watch on Jobs broke; it starts again"),
            }
        }
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
