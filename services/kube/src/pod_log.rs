//! The log of a pod, read while it grows.
use std::{io, pin::Pin, time::Duration};

use bytes::Bytes;
use futures::{AsyncBufRead, AsyncBufReadExt};
use k8s_openapi::jiff::Timestamp;
use kube::api::LogParams;

use crate::{
    cluster::Cluster,
    error::KubeError,
    job_name::JobName,
    labels::CONTAINER,
    log_lines::LogLines,
    log_resume::{LogPoint, LogResume},
};

/// How long newer output is held back while the place to go on from is looked for.
const HOLD_TIME: Duration = Duration::from_secs(1);

/// The log of one pod, from a place in it until the container or the connection ends.
pub struct PodLog {
    stream: Pin<Box<dyn AsyncBufRead + Send>>,
    lines: LogLines,
    resume: LogResume,
}

/// A part of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogPart {
    /// The output.
    pub data: Bytes,
    /// The place behind it, from which another reader can go on.
    pub end: LogPoint,
    /// Whether output before it is missing: the node does not have the place any more that was to be gone on from.
    pub after_gap: bool,
}

impl Cluster {
    /// Opens the log of a pod whose container has started, behind a place in it; none: from its beginning.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`] while there is no log yet.
    pub async fn logs(
        &self,
        job: &JobName,
        pod: &str,
        from: Option<LogPoint>,
    ) -> Result<PodLog, KubeError> {
        let params = LogParams {
            container: Some(CONTAINER.to_owned()),
            follow: true,
            timestamps: true,
            since_time: from.map(|point| whole_second(point.time)),
            ..LogParams::default()
        };
        match self.pods(&job.namespace).log_stream(pod, &params).await {
            Ok(stream) => Ok(PodLog {
                stream: Box::pin(stream),
                lines: LogLines::default(),
                resume: LogResume::from(from),
            }),
            Err(e) => Err(KubeError::Unavailable(format!(
                "reading the pod's log: {e}"
            ))),
        }
    }
}

/// Returns the second in which a time lies: the API knows no finer ones.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

impl PodLog {
    /// Returns the next output; none at the end. Cancel-safe.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn read(&mut self) -> io::Result<Option<LogPart>> {
        let mut out = Vec::new();
        loop {
            let filled = self.stream.fill_buf();
            let data = if self.resume.holds_back() {
                match tokio::time::timeout(HOLD_TIME, filled).await {
                    Ok(data) => data?,
                    Err(_) => {
                        self.resume.give_up(&mut out);
                        return Ok(self.part(out));
                    }
                }
            } else {
                filled.await?
            };
            let size = data.len();
            if size == 0 {
                if !self.resume.holds_back() {
                    return Ok(None);
                }
                self.resume.give_up(&mut out);
                return Ok(self.part(out));
            }
            let resume = &mut self.resume;
            self.lines
                .push(data, |time, piece| resume.take(time, piece, &mut out));
            self.stream.consume_unpin(size);
            if !out.is_empty() {
                return Ok(self.part(out));
            }
        }
    }

    /// Whether the place to go on from was not found so far. At the end of the log that means that the node has rotated
    /// it since, and hands out a file that begins later: a container that writes nothing more may have an empty one.
    #[must_use]
    pub fn is_place_missing(&self) -> bool {
        self.resume.is_seeking()
    }

    fn part(&mut self, out: Vec<u8>) -> Option<LogPart> {
        Some(LogPart {
            data: out.into(),
            end: self.resume.point()?,
            after_gap: self.resume.take_gap(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &str = "2026-11-27T10:00:01Z 4";

    fn log(text: &'static str) -> PodLog {
        PodLog {
            stream: Box::pin(text.as_bytes()),
            lines: LogLines::default(),
            resume: LogResume::from(POINT.parse().ok()),
        }
    }

    #[tokio::test]
    async fn a_log_that_ends_without_the_place_says_so() {
        for text in ["", "2026-11-27T10:00:00.5Z older\n"] {
            let mut rotated = log(text);
            assert_eq!(rotated.read().await.expect("reads"), None);
            assert!(rotated.is_place_missing(), "{text:?}");
        }
        let mut whole = log("2026-11-27T10:00:01Z abc\n");
        assert_eq!(whole.read().await.expect("reads"), None);
        assert!(!whole.is_place_missing());
        let mut newer = log("2026-11-27T10:00:09Z x\n");
        let part = newer.read().await.expect("reads").expect("output");
        assert!(part.after_gap);
        assert!(!newer.is_place_missing());
    }
}
