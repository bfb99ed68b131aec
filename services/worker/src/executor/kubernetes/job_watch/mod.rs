//! Follows one Job: turns what the cluster shows of it into events of the workload.
use std::time::Duration;

use ck8s_kube::{
    Cluster, Hope, JobName, LogPoint, PodView, Stage, StartTrouble, WorkloadView, WorkloadWatch,
};
use ck8s_types::RunReason;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use super::{pod_log::PodLogFollower, start_delay::StartDelay};
use crate::{
    domain::{Exit, LogItem, LogSink, StoredLog, WorkloadEvent},
    executor::workload::RemovalFlag,
};

/// How long a Job may be without a pod. After that something prevents the pod, and the Job's events say what.
const POD_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a pod may be without a running container before its events are watched.
const START_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a pod may be there after its removal was asked for, until it is told that its node does not confirm its
/// end.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the workload's output goes in the stored log.
#[derive(Clone)]
pub(super) enum LogPlace {
    /// Behind the notes: nothing of the output is stored.
    Fresh,
    /// Some of the output may be stored.
    Stored(StoredLog),
}

/// Follows one Job.
pub(super) struct JobWatch {
    cluster: Cluster,
    job: JobName,
    log: LogSink,
    events: mpsc::Sender<WorkloadEvent>,
    log_place: LogPlace,
    removal: RemovalFlag,
    /// The pod that is the workload, once there was one.
    pod: Option<PodView>,
    running: bool,
    /// Whether the removal of the pod was asked for before its container ended.
    deleting: bool,
    /// Whether the removal of the pod was asked for by somebody else, and until when its node has to confirm its end.
    removal_seen: bool,
    removal_deadline: Option<Instant>,
    delay: StartDelay,
    log_follower: Option<AbortOnDropHandle<()>>,
}

impl JobWatch {
    pub(super) fn new(
        cluster: Cluster,
        job: JobName,
        log: LogSink,
        events: mpsc::Sender<WorkloadEvent>,
        log_place: LogPlace,
        removal: RemovalFlag,
    ) -> Self {
        Self {
            cluster,
            job,
            log,
            events,
            log_place,
            removal,
            pod: None,
            running: false,
            deleting: false,
            removal_seen: false,
            removal_deadline: None,
            delay: StartDelay::default(),
            log_follower: None,
        }
    }

    /// Follows the Job to its end.
    pub(super) async fn run(mut self) {
        let mut watch = self.cluster.watch(&self.job);
        let start = Instant::now();
        let last_event = loop {
            let view = watch.borrow_and_update().clone();
            if let Some(last_event) = self.update(view, &watch).await {
                break last_event;
            }
            tokio::select! {
                changed = watch.changed() => if changed.is_err() { return },
                trouble = self.delay.next_trouble() => {
                    if let Some(last_event) = self.take_trouble(trouble).await {
                        break last_event;
                    }
                }
                () = tokio::time::sleep_until(start + POD_TIMEOUT), if self.waits_for_pod() => {
                    self.delay.watch_events(&self.cluster, &self.job, None);
                }
                () = tokio::time::sleep_until(start + START_TIMEOUT), if self.waits_for_start() => {
                    self.delay.watch_events(&self.cluster, &self.job, self.pod.as_ref());
                }
                () = sleep_until(self.removal_deadline) => self.tell_removal_delay().await,
            }
        };
        self.end(last_event).await;
    }

    fn waits_for_pod(&self) -> bool {
        self.pod.is_none() && !self.delay.watches(None)
    }

    fn waits_for_start(&self) -> bool {
        self.pod
            .as_ref()
            .is_some_and(|pod| !self.running && !self.delay.watches(Some(&pod.uid)))
    }

    /// Takes what an event says about the start. Returns the last event, if the workload never starts.
    async fn take_trouble(&mut self, trouble: StartTrouble) -> Option<WorkloadEvent> {
        if self.running {
            return None;
        }
        if trouble.hope == Hope::None {
            return Some(WorkloadEvent::Ended(trouble.exit.into()));
        }
        if trouble.hope == Hope::NeedsServiceAccount {
            let namespace = &self.job.namespace;
            let restored = self.cluster.restore_service_account(namespace).await;
            if let Err(error) = restored {
                tracing::warn!(job = %self.job, %error, "the service account cannot be restored yet");
            }
        }
        if let Some(exit) = self.delay.trouble(&trouble) {
            self.report_delay(exit).await;
        }
        None
    }

    /// Says that the node of a pod that is being removed does not confirm its end.
    async fn tell_removal_delay(&mut self) {
        self.removal_deadline = None;
        if let Some(pod) = &self.pod {
            let node = pod.node.as_deref().unwrap_or("unknown");
            self.send(WorkloadEvent::EndDelayed(format!(
                "pod {} is being removed, but its node {node} does not confirm that it has ended",
                pod.name
            )))
            .await;
        }
    }

    /// Takes the current view of the workload. Returns the last event, if this is the workload's end.
    async fn update(&mut self, view: WorkloadView, watch: &WorkloadWatch) -> Option<WorkloadEvent> {
        let uid = self.pod.as_ref().map(|p| p.uid.clone());
        let pod = match &uid {
            Some(uid) => view.pods.into_iter().find(|p| p.uid == *uid),
            None => view.pods.into_iter().next(),
        };
        let Some(pod) = pod else {
            return self.end_without_pod(view.last_removed, view.job.and_then(|j| j.exit));
        };
        let job_exit = view.job.and_then(|j| j.exit);
        self.note_node(&pod).await;
        self.pod = Some(pod.clone());
        if pod.deleting && !self.removal.is_set() && !self.removal_seen {
            self.removal_seen = true;
            self.removal_deadline = Some(Instant::now() + REMOVAL_TIMEOUT);
        }
        match self.stage(&pod) {
            Stage::Waiting { unschedulable } => {
                if let Some(message) = unschedulable {
                    let message = format!("No node can take the pod: {message}");
                    self.delayed(Exit::without_code(RunReason::Unschedulable, message))
                        .await;
                }
                None
            }
            Stage::PullFailed { exit, backs_off } => {
                if let Some(exit) = self.delay.pull_failed(exit.into(), backs_off) {
                    return Some(WorkloadEvent::Ended(exit));
                }
                if let Some(exit) = self.delay.pull_failure() {
                    self.delayed(exit).await;
                }
                None
            }
            Stage::Blocked(exit) => Some(WorkloadEvent::Ended(exit.into())),
            Stage::Running => {
                self.report_running(&pod.name, watch).await;
                None
            }
            Stage::Ended(exit) => {
                if exit.code.is_some() {
                    self.report_running(&pod.name, watch).await;
                }
                Some(WorkloadEvent::Ended(exit.into()))
            }
            Stage::Killed(exit) => {
                self.report_running(&pod.name, watch).await;
                if self.removal.is_set() {
                    return Some(WorkloadEvent::Ended(exit.into()));
                }
                Some(killed_event(&pod, job_exit))
            }
        }
    }

    /// Returns the pod's stage. A container that ends after its pod was seen to be deleted was killed, whatever the
    /// clocks of its node and of the API server say.
    fn stage(&mut self, pod: &PodView) -> Stage {
        match pod.stage.clone() {
            Stage::Ended(exit) if self.deleting && exit.code.is_some() => Stage::Killed(exit),
            stage => {
                self.deleting |= pod.deleting && !matches!(stage, Stage::Ended(_));
                stage
            }
        }
    }

    /// Returns how the workload ended, if its pod or its Job is known to have ended and no pod is there.
    fn end_without_pod(
        &self,
        last_removed: Option<PodView>,
        job_exit: Option<ck8s_kube::Exit>,
    ) -> Option<WorkloadEvent> {
        let uid = self.pod.as_ref().map(|p| p.uid.as_str());
        let last_view = last_removed.filter(|p| uid.is_none_or(|uid| uid == p.uid));
        if let Some(killed) = &last_view
            && matches!(killed.stage, Stage::Killed(_))
            && !self.removal.is_set()
        {
            return Some(killed_event(killed, job_exit));
        }
        if let Some(exit) = job_exit {
            return Some(WorkloadEvent::Ended(exit.into()));
        }
        let pod = self.pod.as_ref()?;
        Some(match last_view {
            Some(PodView {
                stage: Stage::Ended(exit) | Stage::Killed(exit),
                ..
            }) => WorkloadEvent::Ended(exit.into()),
            Some(removed) => killed_event(&removed, None),
            None => lost(format!("pod {} was removed by somebody else", pod.name)),
        })
    }

    /// Reports that the workload runs, and begins to read its log.
    async fn report_running(&mut self, pod: &str, watch: &WorkloadWatch) {
        if !self.running {
            self.running = true;
            self.delay.end();
            self.send(WorkloadEvent::Running).await;
        }
        if self.log_follower.is_none() {
            let point = self.place_output().await;
            let follower = PodLogFollower {
                cluster: self.cluster.clone(),
                job: self.job.clone(),
                pod: pod.to_owned(),
                log: self.log.clone(),
                events: self.events.clone(),
                watch: watch.clone(),
                point,
            };
            let follower = tokio::spawn(follower.run());
            self.log_follower = Some(AbortOnDropHandle::new(follower));
        }
    }

    /// Records where the output begins in the stored log; or, for an adopted workload, skips the output that is stored
    /// already. Returns from where the pod's log is read on; none: from its beginning.
    async fn place_output(&self) -> Option<LogPoint> {
        if let LogPlace::Stored(stored) = &self.log_place {
            if let Some(position) = &stored.position {
                let skip = stored.end.saturating_sub(position.offset);
                let _ = self.log.send(LogItem::Skip(skip)).await;
                return position
                    .source
                    .as_ref()
                    .and_then(|point| point.parse().ok());
            }
            // An older worker wrote the log.
            match self.cluster.log_start(&self.job).await {
                Ok(Some(start)) => {
                    let skip = LogItem::Skip(stored.end.saturating_sub(start));
                    let _ = self.log.send(skip).await;
                    return None;
                }
                // Nothing of the output is stored.
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(job = %self.job, %error, "parts of the log may be stored twice");
                }
            }
        }
        let (reply, position) = oneshot::channel();
        if self.log.send(LogItem::Position(reply)).await.is_err() {
            return None;
        }
        if let Ok(position) = position.await
            && let Err(error) = self.cluster.set_log_start(&self.job, position).await
        {
            tracing::warn!(job = %self.job, %error, "an older worker that adopts this workload may store parts of its log twice");
        }
        None
    }

    /// Waits for the rest of the log, notes how the workload ended, and sends the last event.
    async fn end(mut self, last_event: WorkloadEvent) {
        if let Some(follower) = self.log_follower.take() {
            let _ = follower.await;
        }
        match &last_event {
            _ if self.removal.is_set() => {}
            WorkloadEvent::Ended(exit) if exit.reason != RunReason::Completed => {
                self.note(exit.message.clone()).await;
            }
            WorkloadEvent::Lost(exit) => self.note(exit.message.clone()).await,
            _ => {}
        }
        self.send(last_event).await;
    }

    /// Notes the node that a new workload was scheduled on.
    async fn note_node(&self, pod: &PodView) {
        let is_new = self.pod.as_ref().is_none_or(|p| p.node != pod.node);
        if is_new
            && let Some(node) = &pod.node
            && matches!(self.log_place, LogPlace::Fresh)
        {
            self.note(format!("pod {} scheduled on {node}", pod.name))
                .await;
        }
    }

    /// Reports why the workload has not started, each cause once.
    async fn delayed(&mut self, exit: Exit) {
        if let Some(exit) = self.delay.tell(exit) {
            self.report_delay(exit).await;
        }
    }

    async fn report_delay(&self, exit: Exit) {
        if matches!(self.log_place, LogPlace::Fresh) {
            self.note(exit.message.clone()).await;
        }
        self.send(WorkloadEvent::StartDelayed(exit)).await;
    }

    /// Writes a line into the log. Only before the output begins, or after its end.
    async fn note(&self, text: String) {
        let _ = self.log.send(LogItem::Note(text)).await;
    }

    /// Sends an event. If nobody receives it, this task is about to be dropped.
    async fn send(&self, event: WorkloadEvent) {
        let _ = self.events.send(event).await;
    }
}

/// Returns the event of a workload whose pod was taken away, by Kubernetes or by somebody else: it has not succeeded,
/// whatever its exit code, and the next attempt may succeed.
fn killed_event(pod: &PodView, job_exit: Option<ck8s_kube::Exit>) -> WorkloadEvent {
    if let Some(exit) = job_exit.filter(|exit| exit.reason == RunReason::TimedOut) {
        return WorkloadEvent::Ended(exit.into());
    }
    match &pod.disruption {
        Some(message) => WorkloadEvent::Lost(Exit::without_code(
            RunReason::Evicted,
            format!("Kubernetes evicted the pod: {message}"),
        )),
        None => match &pod.stage {
            Stage::Killed(exit) if exit.reason == RunReason::Evicted => {
                WorkloadEvent::Lost(exit.clone().into())
            }
            _ => lost(format!("pod {} was removed by somebody else", pod.name)),
        },
    }
}

fn lost(message: String) -> WorkloadEvent {
    WorkloadEvent::Lost(Exit::without_code(RunReason::WorkloadLost, message))
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
