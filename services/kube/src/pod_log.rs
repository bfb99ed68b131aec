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

    fn part(&mut self, out: Vec<u8>) -> Option<LogPart> {
        Some(LogPart {
            data: out.into(),
            end: self.resume.point()?,
            after_gap: self.resume.take_gap(),
        })
    }
}
