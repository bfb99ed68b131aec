//! Follows one Job: turns what is seen of it into events of the workload.
use std::time::Duration;

use ck8s_kube::{Cluster, CreationFault, JobName, PodView, Sighting, Stage, Watched};
use ck8s_types::RunReason;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::output::Output;
use crate::{
    executor::{Ending, Event, Exit},
    log::{LogItem, LogSink},
};

/// A Job without a pod for this long has a reason, and its events tell it.
const POD_APPEARS: Duration = Duration::from_secs(2);
/// How long the rest of the log may take after the container's end.
const LOG_ENDS: Duration = Duration::from_secs(10);

/// Where the workload's output goes in the stored log.
#[derive(Clone, Copy)]
pub(super) enum LogPlace {
    /// Behind what has been noted.
    Fresh,
    /// Some of it may be stored: the stored log ends here.
    Stored(u64),
}

pub(super) struct Driver {
    cluster: Cluster,
    job: JobName,
    log: LogSink,
    events: mpsc::Sender<Event>,
    place: LogPlace,
    ending: Ending,
    /// The pod that is the workload.
    pod: Option<PodView>,
    running: bool,
    pulls_failed: u32,
    hindered: Option<String>,
    output: Option<AbortOnDropHandle<()>>,
}

impl Driver {
    pub(super) fn new(
        cluster: Cluster,
        job: JobName,
        log: LogSink,
        events: mpsc::Sender<Event>,
        place: LogPlace,
        ending: Ending,
    ) -> Self {
        Self {
            cluster,
            job,
            log,
            events,
            place,
            ending,
            pod: None,
            running: false,
            pulls_failed: 0,
            hindered: None,
            output: None,
        }
    }

    pub(super) async fn run(mut self) {
        let mut watched = self.cluster.watch(&self.job);
        let (cluster, job) = (self.cluster.clone(), self.job.clone());
        let fault = async move {
            tokio::time::sleep(POD_APPEARS).await;
            cluster.creation_fault(&job).await
        };
        let mut fault = std::pin::pin!(fault);
        let last = loop {
            let sighting = watched.borrow_and_update().clone();
            if let Some(last) = self.judge(sighting, &watched).await {
                break last;
            }
            tokio::select! {
                changed = watched.changed() => if changed.is_err() { return },
                CreationFault(exit) = &mut fault, if self.pod.is_none() => break Event::Ended(exit.into()),
            }
        };
        self.end(last).await;
    }

    /// The last event, if this is the end.
    async fn judge(&mut self, sighting: Sighting, watched: &Watched) -> Option<Event> {
        let known = self.pod.as_ref().map(|p| p.uid.clone());
        let pod = match &known {
            Some(uid) => sighting.pods.into_iter().find(|p| p.uid == *uid),
            None => sighting.pods.into_iter().next(),
        };
        let Some(pod) = pod else {
            return self.without_pod(sighting.vanished, sighting.job.and_then(|j| j.ended));
        };
        if self.pod.as_ref().is_none_or(|p| p.node != pod.node)
            && let Some(node) = &pod.node
            && matches!(self.place, LogPlace::Fresh)
        {
            self.note(format!("pod {} scheduled on {node}", pod.name))
                .await;
        }
        self.pod = Some(pod.clone());
        match pod.stage {
            Stage::Waiting { unschedulable } => {
                if let Some(told) = unschedulable {
                    let message = format!("No node can take the pod: {told}");
                    self.hinder(RunReason::Unschedulable, message).await;
                }
                None
            }
            Stage::PullFailed(exit) => {
                self.pulls_failed += 1;
                self.hinder(exit.reason, exit.message.clone()).await;
                (self.pulls_failed > 1).then(|| Event::Ended(exit.into()))
            }
            Stage::Blocked(exit) => Some(Event::Ended(exit.into())),
            Stage::Running => {
                self.runs(&pod.name, watched).await;
                None
            }
            Stage::Ended(exit) => {
                if exit.code.is_some() {
                    self.runs(&pod.name, watched).await;
                }
                Some(Event::Ended(exit.into()))
            }
        }
    }

    fn without_pod(
        &self,
        vanished: Option<PodView>,
        job: Option<ck8s_kube::Exit>,
    ) -> Option<Event> {
        if let Some(exit) = job {
            return Some(Event::Ended(exit.into()));
        }
        let known = self.pod.as_ref()?;
        let last = vanished.filter(|v| v.uid == known.uid);
        Some(match last {
            Some(PodView {
                stage: Stage::Ended(exit),
                ..
            }) => Event::Ended(exit.into()),
            Some(PodView {
                disruption: Some(why),
                ..
            }) => Event::Ended(Exit {
                reason: RunReason::Evicted,
                message: format!("Kubernetes evicted the pod: {why}"),
                code: None,
            }),
            _ => Event::Lost(format!("pod {} was removed by somebody else", known.name)),
        })
    }

    async fn runs(&mut self, pod: &str, watched: &Watched) {
        if !self.running {
            self.running = true;
            self.say(Event::Running).await;
        }
        if self.output.is_none() {
            self.place_output().await;
            let output = Output {
                cluster: self.cluster.clone(),
                job: self.job.clone(),
                pod: pod.to_owned(),
                log: self.log.clone(),
                watched: watched.clone(),
            };
            self.output = Some(AbortOnDropHandle::new(tokio::spawn(output.run())));
        }
    }

    /// Notes where the output begins in the stored log, or goes on behind what is stored of it.
    async fn place_output(&self) {
        if let LogPlace::Stored(end) = self.place {
            match self.cluster.log_start(&self.job).await {
                Ok(Some(start)) => {
                    let _ = self
                        .log
                        .send(LogItem::Skip(end.saturating_sub(start)))
                        .await;
                    return;
                }
                // Nothing of it is stored.
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(job = %self.job, %error, "the log may have parts twice");
                }
            }
        }
        let (ask, answer) = oneshot::channel();
        if self.log.send(LogItem::Position(ask)).await.is_err() {
            return;
        }
        if let Ok(position) = answer.await
            && let Err(error) = self.cluster.set_log_start(&self.job, position).await
        {
            tracing::warn!(job = %self.job, %error, "whoever adopts this workload may store parts of its log twice");
        }
    }

    async fn end(mut self, last: Event) {
        if let Some(output) = self.output.take()
            && tokio::time::timeout(LOG_ENDS, output).await.is_err()
        {
            self.note("the log may be incomplete: it was not read to its end in time".to_owned())
                .await;
        }
        match &last {
            _ if self.ending.get() => {}
            Event::Ended(exit) if exit.reason != RunReason::Completed => {
                self.note(exit.message.clone()).await;
            }
            Event::Lost(message) => self.note(message.clone()).await,
            _ => {}
        }
        self.say(last).await;
    }

    async fn hinder(&mut self, reason: RunReason, message: String) {
        if self.hindered.as_ref() == Some(&message) {
            return;
        }
        self.hindered = Some(message.clone());
        if matches!(self.place, LogPlace::Fresh) {
            self.note(message.clone()).await;
        }
        self.say(Event::Hindered(Exit {
            reason,
            message,
            code: None,
        }))
        .await;
    }

    /// Not once the output has begun, but for its end.
    async fn note(&self, text: String) {
        let _ = self.log.send(LogItem::Note(text)).await;
    }

    /// Whoever listened may have gone: then this task is about to be dropped.
    async fn say(&self, event: Event) {
        let _ = self.events.send(event).await;
    }
}
