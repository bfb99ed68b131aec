//! The log of a pod, read while it grows.
use std::{io, pin::Pin};

use bytes::Bytes;
use futures::{AsyncBufRead, AsyncBufReadExt};
use kube::api::LogParams;

use crate::{cluster::Cluster, error::KubeError, job_name::JobName, labels::CONTAINER};

/// The log of one pod, from its beginning until the container or the connection ends.
pub struct PodLog(Pin<Box<dyn AsyncBufRead + Send>>);

impl Cluster {
    /// Opens the log of a pod whose container has started.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`] while there is no log yet.
    pub async fn logs(&self, job: &JobName, pod: &str) -> Result<PodLog, KubeError> {
        let params = LogParams {
            container: Some(CONTAINER.to_owned()),
            follow: true,
            ..LogParams::default()
        };
        match self.pods(&job.namespace).log_stream(pod, &params).await {
            Ok(stream) => Ok(PodLog(Box::pin(stream))),
            Err(e) => Err(KubeError::Unavailable(format!(
                "reading the pod's log: {e}"
            ))),
        }
    }
}

impl PodLog {
    /// Returns the next bytes; none at the end.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn read(&mut self) -> io::Result<Option<Bytes>> {
        let data = Bytes::copy_from_slice(self.0.fill_buf().await?);
        self.0.consume_unpin(data.len());
        Ok((!data.is_empty()).then_some(data))
    }
}
