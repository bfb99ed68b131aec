//! Follows the log of one pod to its end, over as many connections as it takes.
use std::time::{Duration, Instant};

use ck8s_kube::{Cluster, JobName, LogPart, LogPoint, PodLog, Stage, WorkloadView, WorkloadWatch};
use tokio::sync::mpsc;

use crate::domain::{LogItem, LogSink, WorkloadEvent};

/// How soon to ask again for a log: a container that has just started may have none yet.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Bounds the wait for the news that a container has ended, once its log has.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection may be silent before another one is opened, if its container has ended, or if so much came
/// over it that the node may have rotated the log: some nodes then follow the old file.
const MAX_SILENCE: Duration = Duration::from_secs(2);
/// From how many bytes on that may be.
const ROTATABLE_BYTES: usize = 1 << 20;
/// How long the log of an ended container is asked for in vain.
const MAX_TIME_AFTER_END: Duration = Duration::from_secs(30);

/// The log of one pod, on its way to the sink.
pub(super) struct PodLogFollower {
    pub(super) cluster: Cluster,
    pub(super) job: JobName,
    pub(super) pod: String,
    pub(super) log: LogSink,
    pub(super) events: mpsc::Sender<WorkloadEvent>,
    pub(super) watch: WorkloadWatch,
    /// From where it is read on; none: from its beginning.
    pub(super) point: Option<LogPoint>,
}

/// How the reading of one connection ended.
enum ReadEnd {
    /// The node has no more. Whether its log still had the place from which it was to be read on.
    Complete { place_found: bool },
    /// The connection broke, or fell silent.
    Broken,
    /// Nobody takes what was read.
    Unwanted,
}

impl PodLogFollower {
    /// Follows the log until it is complete, or cannot be read any more.
    pub(super) async fn run(mut self) {
        // Since when nothing came of the log of a container that has ended.
        let mut vain_since: Option<Instant> = None;
        // Whether the node said of the last connection that there is no more.
        let mut complete = false;
        let mut place_found = true;
        loop {
            let ended = has_ended(&self.watch.borrow(), &self.pod);
            let before = self.point;
            let opened = self.cluster.logs(&self.job, &self.pod, self.point).await;
            complete = match opened {
                Ok(mut log) => match self.read(&mut log).await {
                    ReadEnd::Complete { place_found: found } => {
                        place_found = found;
                        true
                    }
                    ReadEnd::Broken => false,
                    ReadEnd::Unwanted => return,
                },
                Err(_) if complete && self.is_removed() => return self.end(place_found).await,
                Err(error) if self.is_removed() => {
                    tracing::debug!(job = %self.job, %error, "the pod is gone, and its log with it");
                    let why =
                        "the end of the log may be missing: the pod was removed while it was read";
                    return self.tell_gap(why.to_owned()).await;
                }
                Err(error) => {
                    tracing::debug!(job = %self.job, %error, "the pod's log cannot be opened");
                    false
                }
            };
            // Only what was opened after the container's end ends with the log: an earlier connection may have been
            // left with a file that the node has rotated.
            if complete && ended {
                return self.end(place_found).await;
            }
            if complete {
                self.ends_soon().await;
            }
            if self.point != before {
                vain_since = None;
            }
            if ended && vain_since.get_or_insert_with(Instant::now).elapsed() > MAX_TIME_AFTER_END {
                let why =
                    "the end of the log may be missing: the node did not hand it out any more";
                return self.tell_gap(why.to_owned()).await;
            }
            if !complete {
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }

    /// Reads the log and passes it on.
    async fn read(&mut self, log: &mut PodLog) -> ReadEnd {
        let mut bytes = 0;
        loop {
            let Ok(read) = tokio::time::timeout(MAX_SILENCE, log.read()).await else {
                if bytes >= ROTATABLE_BYTES || has_ended(&self.watch.borrow(), &self.pod) {
                    return ReadEnd::Broken;
                }
                continue;
            };
            match read {
                Ok(Some(part)) => {
                    bytes += part.data.len();
                    if self.pass_on(part).await.is_none() {
                        return ReadEnd::Unwanted;
                    }
                }
                Ok(None) => {
                    let place_found = !log.is_place_missing();
                    return ReadEnd::Complete { place_found };
                }
                Err(error) => {
                    tracing::debug!(job = %self.job, %error, "the connection to the pod's log broke; reading on");
                    return ReadEnd::Broken;
                }
            }
        }
    }

    /// Ends with the log. If the node has rotated it since it was read last, what came in between is in no file that it
    /// hands out.
    async fn end(&self, place_found: bool) {
        if !place_found {
            let why = "the end of the log may be missing: the node has rotated the log while nobody read it";
            self.tell_gap(why.to_owned()).await;
        }
    }

    /// Passes a part on. None: nobody wants it any more.
    async fn pass_on(&mut self, part: LogPart) -> Option<()> {
        if part.after_gap {
            let before = self.point.map(|p| p.to_string()).unwrap_or_default();
            let since = before.split(' ').next().unwrap_or_default();
            self.tell_gap(format!(
                "a part of the log may be missing here: the node has rotated the log since {since}, while nobody read it"
            ))
            .await;
        }
        self.point = Some(part.end);
        let item = LogItem::Part {
            data: part.data,
            end: part.end.to_string(),
        };
        self.log.send(item).await.ok()
    }

    /// Says in the log and on the run that output is missing. If nobody listens, the task is about to be dropped.
    async fn tell_gap(&self, why: String) {
        let _ = self.log.send(LogItem::Gap(why.clone())).await;
        let _ = self.events.send(WorkloadEvent::LogIncomplete(why)).await;
    }

    /// Whether the pod is gone.
    fn is_removed(&self) -> bool {
        let view = self.watch.borrow();
        !view.pods.iter().any(|p| p.name == self.pod)
    }

    /// Waits a little for the pod's end.
    async fn ends_soon(&mut self) {
        let pod = self.pod.clone();
        let ended = self.watch.wait_for(|view| has_ended(view, &pod));
        let _ = tokio::time::timeout(END_TIMEOUT, ended).await;
    }
}

fn has_ended(view: &WorkloadView, pod: &str) -> bool {
    let pod = view.pods.iter().find(|p| p.name == pod);
    pod.is_none_or(|p| matches!(p.stage, Stage::Ended(_) | Stage::Killed(_)))
}
