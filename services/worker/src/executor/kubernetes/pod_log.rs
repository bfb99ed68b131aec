//! Follows the log of one pod to its end, over as many connections as it takes.
use std::time::Duration;

use bytes::Bytes;
use ck8s_kube::{Cluster, JobName, PodLog, Stage, WorkloadView, WorkloadWatch};

use crate::domain::{LogItem, LogSink};

/// How soon to ask again for a log: a container that has just started may have none yet.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Bounds the wait for the news that a container has ended. Its log is complete if the stream ends and the container
/// has.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the log of an ended container is asked for in vain.
const MAX_TRIES_AFTER_END: u32 = 5;
/// Where a node loses sight of a container that has ended, it writes its own error into the log, as the last thing.
const NODE_ERROR: &[u8] =
    b"rpc error: code = NotFound desc = an error occurred when try to find container";

/// The log of one pod, on its way to the sink.
pub(super) struct PodLogFollower {
    pub(super) cluster: Cluster,
    pub(super) job: JobName,
    pub(super) pod: String,
    pub(super) log: LogSink,
    pub(super) watch: WorkloadWatch,
}

impl PodLogFollower {
    /// Follows the log until it is complete.
    pub(super) async fn run(mut self) {
        let (mut taken, mut failures) = (0, 0);
        loop {
            let ended = has_ended(&self.watch.borrow(), &self.pod);
            match self.cluster.logs(&self.job, &self.pod).await {
                Ok(mut log) => {
                    failures = 0;
                    let complete = self.read(&mut log, &mut taken).await;
                    if complete && (ended || self.ends_soon().await) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!(job = %self.job, %error, "the pod's log cannot be opened");
                    failures += 1;
                    if ended && failures >= MAX_TRIES_AFTER_END {
                        return;
                    }
                }
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    /// Reads the log from its beginning and passes on what is behind `taken`. Returns whether the stream ended
    /// properly.
    async fn read(&self, log: &mut PodLog, taken: &mut usize) -> bool {
        let mut seen = 0;
        loop {
            match log.read().await {
                Ok(Some(data)) => {
                    let from = seen.max(*taken).min(seen + data.len());
                    let output = without_node_error(data.slice(from - seen..));
                    seen += data.len();
                    if output.is_empty() {
                        continue;
                    }
                    *taken += output.len();
                    if self.log.send(LogItem::Output(output)).await.is_err() {
                        return true;
                    }
                }
                Ok(None) => return true,
                Err(error) => {
                    tracing::debug!(job = %self.job, %error, "the connection to the pod's log broke; reading on");
                    return false;
                }
            }
        }
    }

    /// Waits a little for the pod's end. Returns whether it came.
    async fn ends_soon(&mut self) -> bool {
        let pod = self.pod.clone();
        let ended = self.watch.wait_for(|view| has_ended(view, &pod));
        tokio::time::timeout(END_TIMEOUT, ended).await.is_ok()
    }
}

fn has_ended(view: &WorkloadView, pod: &str) -> bool {
    let pod = view.pods.iter().find(|p| p.name == pod);
    pod.is_none_or(|p| matches!(p.stage, Stage::Ended(_) | Stage::Killed(_)))
}

/// Returns the output without the node's own error at its end.
fn without_node_error(data: Bytes) -> Bytes {
    let line = data
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    if data[line..].starts_with(NODE_ERROR) {
        data.slice(..line)
    } else {
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_error_is_not_the_workloads_output() {
        let with = |rest: &[u8]| without_node_error([b"up\n", rest].concat().into());
        assert_eq!(
            with(&[NODE_ERROR, b" \"00fe\": not found"].concat()),
            "up\n"
        );
        assert_eq!(with(b"rpc"), "up\nrpc");
        assert_eq!(
            with(&[NODE_ERROR, b"\n"].concat()).len(),
            4 + NODE_ERROR.len()
        );
    }
}
