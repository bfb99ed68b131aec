//! Follows one Job: turns what the cluster shows of it into events of the workload.
use std::time::Duration;

use ck8s_kube::{Cluster, CreationFailure, JobName, PodView, Stage, WorkloadView, WorkloadWatch};
use ck8s_types::RunReason;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::pod_log::PodLogFollower;
use crate::{
    domain::{Exit, LogItem, LogSink, WorkloadEvent},
    executor::workload::RemovalFlag,
};

/// How long a Job may be without a pod. After that something prevents the pod, and the Job's events say what.
const POD_TIMEOUT: Duration = Duration::from_secs(2);
/// Bounds the reading of the rest of the log after the container's end.
const LOG_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the workload's output goes in the stored log.
#[derive(Clone, Copy)]
pub(super) enum LogPlace {
    /// Behind the notes: nothing of the output is stored.
    Fresh,
    /// Some of the output may be stored: the stored log ends here.
    Stored(u64),
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
    failed_pulls: u32,
    /// Why the workload has not started, as it was last noted.
    delay: Option<String>,
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
            failed_pulls: 0,
            delay: None,
            log_follower: None,
        }
    }

    /// Follows the Job to its end.
    pub(super) async fn run(mut self) {
        let mut watch = self.cluster.watch(&self.job);
        let (cluster, job) = (self.cluster.clone(), self.job.clone());
        let failure = async move {
            tokio::time::sleep(POD_TIMEOUT).await;
            cluster.creation_failure(&job).await
        };
        let mut failure = std::pin::pin!(failure);
        let last_event = loop {
            let view = watch.borrow_and_update().clone();
            if let Some(last_event) = self.update(view, &watch).await {
                break last_event;
            }
            tokio::select! {
                changed = watch.changed() => if changed.is_err() { return },
                CreationFailure(exit) = &mut failure, if self.pod.is_none() => {
                    break WorkloadEvent::Ended(exit.into());
                }
            }
        };
        self.end(last_event).await;
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
        match self.stage(&pod) {
            Stage::Waiting { unschedulable } => {
                if let Some(message) = unschedulable {
                    let message = format!("No node can take the pod: {message}");
                    self.report_delay(RunReason::Unschedulable, message).await;
                }
                None
            }
            Stage::PullFailed(exit) => {
                self.failed_pulls += 1;
                self.report_delay(exit.reason, exit.message.clone()).await;
                (self.failed_pulls > 1).then(|| WorkloadEvent::Ended(exit.into()))
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
            None => WorkloadEvent::Lost(format!("pod {} was removed by somebody else", pod.name)),
        })
    }

    /// Reports that the workload runs, and begins to read its log.
    async fn report_running(&mut self, pod: &str, watch: &WorkloadWatch) {
        if !self.running {
            self.running = true;
            self.send(WorkloadEvent::Running).await;
        }
        if self.log_follower.is_none() {
            self.place_output().await;
            let follower = PodLogFollower {
                cluster: self.cluster.clone(),
                job: self.job.clone(),
                pod: pod.to_owned(),
                log: self.log.clone(),
                watch: watch.clone(),
            };
            let follower = tokio::spawn(follower.run());
            self.log_follower = Some(AbortOnDropHandle::new(follower));
        }
    }

    /// Records where the output begins in the stored log; or, for an adopted workload, skips the output that is stored
    /// already.
    async fn place_output(&self) {
        if let LogPlace::Stored(end) = self.log_place {
            match self.cluster.log_start(&self.job).await {
                Ok(Some(start)) => {
                    let skip = LogItem::Skip(end.saturating_sub(start));
                    let _ = self.log.send(skip).await;
                    return;
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
            return;
        }
        if let Ok(position) = position.await
            && let Err(error) = self.cluster.set_log_start(&self.job, position).await
        {
            tracing::warn!(job = %self.job, %error, "a worker that adopts this workload may store parts of its log twice");
        }
    }

    /// Waits for the rest of the log, notes how the workload ended, and sends the last event.
    async fn end(mut self, last_event: WorkloadEvent) {
        if let Some(follower) = self.log_follower.take()
            && tokio::time::timeout(LOG_TIMEOUT, follower).await.is_err()
        {
            self.note(
                "the log may be incomplete: it could not be read to its end in time".to_owned(),
            )
            .await;
        }
        match &last_event {
            _ if self.removal.is_set() => {}
            WorkloadEvent::Ended(exit) if exit.reason != RunReason::Completed => {
                self.note(exit.message.clone()).await;
            }
            WorkloadEvent::Lost(message) => self.note(message.clone()).await,
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

    /// Reports why the workload has not started, once for each message.
    async fn report_delay(&mut self, reason: RunReason, message: String) {
        if self.delay.as_ref() == Some(&message) {
            return;
        }
        self.delay = Some(message.clone());
        if matches!(self.log_place, LogPlace::Fresh) {
            self.note(message.clone()).await;
        }
        let exit = Exit::without_code(reason, message);
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

/// Returns the event of a workload whose pod was taken away: it has not succeeded, whatever its exit code, and if it
/// was not Kubernetes that took the pod away, the next attempt may succeed.
fn killed_event(pod: &PodView, job_exit: Option<ck8s_kube::Exit>) -> WorkloadEvent {
    if let Some(exit) = job_exit.filter(|exit| exit.reason == RunReason::TimedOut) {
        return WorkloadEvent::Ended(exit.into());
    }
    match &pod.disruption {
        Some(message) => WorkloadEvent::Ended(Exit::without_code(
            RunReason::Evicted,
            format!("Kubernetes evicted the pod: {message}"),
        )),
        None => WorkloadEvent::Lost(format!("pod {} was removed by somebody else", pod.name)),
    }
}

#[cfg(test)]
mod tests {
    use ck8s_kube::Exit as PodExit;

    use super::*;

    fn killed_pod(disruption: Option<&str>) -> PodView {
        PodView {
            name: "run-1".to_owned(),
            uid: "u".to_owned(),
            node: None,
            deleting: true,
            dead: true,
            disruption: disruption.map(str::to_owned),
            stage: Stage::Killed(exit(RunReason::Completed)),
        }
    }

    fn exit(reason: RunReason) -> PodExit {
        PodExit {
            reason,
            message: "Done.".to_owned(),
            code: Some(0),
        }
    }

    #[test]
    fn a_workload_whose_pod_was_taken_away_has_not_succeeded() {
        let completed = Some(exit(RunReason::Completed));
        let event = killed_event(&killed_pod(None), completed.clone());
        assert!(matches!(event, WorkloadEvent::Lost(m) if m.contains("somebody else")));
        let event = killed_event(&killed_pod(Some("EvictionByEvictionAPI")), completed);
        assert!(matches!(event, WorkloadEvent::Ended(e) if e.reason == RunReason::Evicted));
        let event = killed_event(&killed_pod(None), Some(exit(RunReason::TimedOut)));
        assert!(matches!(event, WorkloadEvent::Ended(e) if e.reason == RunReason::TimedOut));
    }
}
