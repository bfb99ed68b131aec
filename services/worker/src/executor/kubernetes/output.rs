//! Follows the log of one pod to its end, over as many connections as it takes.
use std::time::Duration;

use bytes::Bytes;
use ck8s_kube::{Cluster, JobName, PodLog, Stage, Watched};

use crate::log::{LogItem, LogSink};

/// A container that has just started may have no log yet.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// The log of a container that ended is complete when its stream ends; how long to wait to hear that it ended.
const END_SHOWS: Duration = Duration::from_secs(2);
/// How often the log of an ended container is asked for in vain.
const TRIES_AFTER_END: u32 = 5;

pub(super) struct Output {
    pub(super) cluster: Cluster,
    pub(super) job: JobName,
    pub(super) pod: String,
    pub(super) log: LogSink,
    pub(super) watched: Watched,
}

impl Output {
    pub(super) async fn run(mut self) {
        let (mut taken, mut failed) = (0, 0);
        loop {
            let ended = self.ended();
            match self.cluster.logs(&self.job, &self.pod).await {
                Ok(mut log) => {
                    failed = 0;
                    let whole = self.follow(&mut log, &mut taken).await;
                    if whole && (ended || self.ends_soon().await) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!(job = %self.job, %error, "no log");
                    failed += 1;
                    if ended && failed >= TRIES_AFTER_END {
                        return;
                    }
                }
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Reads what has not been taken; whether it came to a proper end.
    async fn follow(&self, log: &mut PodLog, taken: &mut usize) -> bool {
        let mut seen = 0;
        loop {
            match log.read().await {
                Ok(Some(data)) => {
                    let from = seen.max(*taken).min(seen + data.len());
                    let new = workloads_own(data.slice(from - seen..));
                    seen += data.len();
                    if new.is_empty() {
                        continue;
                    }
                    *taken += new.len();
                    if self.log.send(LogItem::Output(new)).await.is_err() {
                        return true;
                    }
                }
                Ok(None) => return true,
                Err(error) => {
                    tracing::debug!(job = %self.job, %error, "the log's connection broke; it is read on");
                    return false;
                }
            }
        }
    }

    fn ended(&self) -> bool {
        let sighting = self.watched.borrow();
        let pod = sighting.pods.iter().find(|p| p.name == self.pod);
        pod.is_none_or(|p| matches!(p.stage, Stage::Ended(_)))
    }

    async fn ends_soon(&mut self) -> bool {
        let pod = self.pod.clone();
        let ended = self.watched.wait_for(|sighting| {
            let pod = sighting.pods.iter().find(|p| p.name == pod);
            pod.is_none_or(|p| matches!(p.stage, Stage::Ended(_)))
        });
        tokio::time::timeout(END_SHOWS, ended).await.is_ok()
    }
}

/// Where a node loses sight of a container that has ended, it writes its own error into the log, as the last thing.
const NODES_WORDS: &[u8] =
    b"rpc error: code = NotFound desc = an error occurred when try to find container";

fn workloads_own(data: Bytes) -> Bytes {
    let line = data
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    if data[line..].starts_with(NODES_WORDS) {
        data.slice(..line)
    } else {
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_words_are_not_the_workloads() {
        let with = |rest: &[u8]| workloads_own([b"up\n", rest].concat().into());
        assert_eq!(
            with(&[NODES_WORDS, b" \"00fe\": not found"].concat()),
            "up\n"
        );
        assert_eq!(with(b"rpc"), "up\nrpc");
        assert_eq!(
            with(&[NODES_WORDS, b"\n"].concat()).len(),
            4 + NODES_WORDS.len()
        );
    }
}
