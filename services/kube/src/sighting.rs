//! One watcher of pods and one of Jobs for all runs of a worker; each run sees its own part.
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use ck8s_types::RunReason;
use futures::{Stream, TryStreamExt};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Exit, JobName, PodView, name, pod::sentence};

/// What is known of a Job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobView {
    /// How it ended, in Kubernetes' own judgement.
    pub ended: Option<Exit>,
    uid: String,
}

/// What is known of a workload.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sighting {
    /// Its pods; one, but for moments.
    pub pods: Vec<PodView>,
    /// Its Job.
    pub job: Option<JobView>,
    /// The last pod that was there and is not any more.
    pub vanished: Option<PodView>,
}

/// A workload that is watched.
pub type Watched = watch::Receiver<Sighting>;

#[derive(Clone, Default)]
pub(crate) struct Sightings(Arc<Mutex<HashMap<JobName, watch::Sender<Sighting>>>>);

impl Sightings {
    /// Watches until `shutdown`.
    pub(crate) fn spawn(&self, client: &Client, shutdown: &CancellationToken) {
        let config = watcher::Config::default().labels(&name::ours());
        let pods = watcher(Api::<Pod>::all(client.clone()), config.clone()).default_backoff();
        let jobs = watcher(Api::<Job>::all(client.clone()), config).default_backoff();
        let (all, stop) = (self.clone(), shutdown.clone());
        tokio::spawn(async move { stop.run_until_cancelled_owned(all.follow_pods(pods)).await });
        let (all, stop) = (self.clone(), shutdown.clone());
        tokio::spawn(async move { stop.run_until_cancelled_owned(all.follow_jobs(jobs)).await });
    }

    pub(crate) fn of(&self, job: &JobName) -> Watched {
        self.change(job, |_| false)
    }

    fn change(&self, job: &JobName, change: impl FnOnce(&mut Sighting) -> bool) -> Watched {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = all
            .entry(job.clone())
            .or_insert_with(|| watch::Sender::new(Sighting::default()));
        sender.send_if_modified(change);
        sender.subscribe()
    }

    /// Drops what nobody looks at and of which nothing is left.
    fn tidy(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, sender| {
            let empty = sender.borrow().pods.is_empty() && sender.borrow().job.is_none();
            !empty || sender.receiver_count() > 0
        });
    }

    fn known(&self) -> Vec<(JobName, Sighting)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
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
                    self.pod(&pod);
                }
                Ok(Some(watcher::Event::InitDone)) => {
                    for (job, sighting) in self.known() {
                        for pod in sighting.pods.iter().filter(|p| !listed.contains(&p.uid)) {
                            self.pod_gone(&job, &pod.uid);
                        }
                    }
                }
                Ok(Some(watcher::Event::Apply(pod))) => self.pod(&pod),
                Ok(Some(watcher::Event::Delete(pod))) => {
                    if let Some(job) = JobName::of(&pod) {
                        self.pod(&pod);
                        self.pod_gone(&job, &pod.uid().unwrap_or_default());
                        self.tidy();
                    }
                }
                Ok(None) => return,
                Err(error) => tracing::warn!(%error, "the watch on pods broke; it starts again"),
            }
        }
    }

    fn pod(&self, pod: &Pod) {
        let Some(job) = JobName::of(pod) else { return };
        let view = PodView::of(pod);
        self.change(&job, |sighting| {
            let known = sighting.pods.iter_mut().find(|p| p.uid == view.uid);
            match known {
                Some(known) if *known == view => return false,
                Some(known) => *known = view,
                None => sighting.pods.push(view),
            }
            true
        });
    }

    fn pod_gone(&self, job: &JobName, uid: &str) {
        self.change(job, |sighting| {
            let at = sighting.pods.iter().position(|p| p.uid == uid);
            if let Some(at) = at {
                sighting.vanished = Some(sighting.pods.remove(at));
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
                    self.job(&job);
                }
                Ok(Some(watcher::Event::InitDone)) => {
                    for (name, sighting) in self.known() {
                        if let Some(job) = sighting.job.filter(|j| !listed.contains(&j.uid)) {
                            self.job_gone(&name, &job.uid);
                        }
                    }
                }
                Ok(Some(watcher::Event::Apply(job))) => self.job(&job),
                Ok(Some(watcher::Event::Delete(job))) => {
                    if let Some(name) = JobName::of(&job) {
                        self.job_gone(&name, &job.uid().unwrap_or_default());
                        self.tidy();
                    }
                }
                Ok(None) => return,
                Err(error) => tracing::warn!(%error, "the watch on Jobs broke; it starts again"),
            }
        }
    }

    fn job(&self, job: &Job) {
        let Some(name) = JobName::of(job) else { return };
        let view = JobView {
            ended: job_exit(job),
            uid: job.uid().unwrap_or_default(),
        };
        self.change(&name, |sighting| {
            let changed = sighting.job.as_ref() != Some(&view);
            sighting.job = Some(view);
            changed
        });
    }

    fn job_gone(&self, name: &JobName, uid: &str) {
        self.change(name, |sighting| {
            let gone = sighting.job.as_ref().is_some_and(|j| j.uid == uid);
            if gone {
                sighting.job = None;
            }
            gone
        });
    }
}

/// How a Job ended by its own conditions: what is left to know when its pod is gone.
pub(crate) fn job_exit(job: &Job) -> Option<Exit> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let holds = |kind: &str| {
        conditions
            .iter()
            .find(|c| c.type_ == kind && c.status == "True")
    };
    if holds("Complete").is_some() {
        return Some(Exit {
            reason: RunReason::Completed,
            message: "The workload ended with exit code 0.".to_owned(),
            code: Some(0),
        });
    }
    let failed = holds("Failed")?;
    let reason = match failed.reason.as_deref() {
        Some("DeadlineExceeded") => RunReason::TimedOut,
        _ => RunReason::AgentError,
    };
    Some(Exit {
        reason,
        message: sentence(
            "The Job failed",
            failed.message.as_deref().unwrap_or_default(),
        ),
        code: None,
    })
}
