//! A pod's log, followed.
use std::{io, pin::Pin};

use bytes::Bytes;
use futures::{AsyncBufRead, AsyncBufReadExt};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::LogParams};

use crate::{Cluster, JobName, KubeError, name::CONTAINER};

/// The log of one pod, from its beginning until the container ends or the connection does.
pub struct PodLog(Pin<Box<dyn AsyncBufRead + Send>>);

impl Cluster {
    /// Opens the log of a pod whose container has started.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`] while there is none yet.
    pub async fn logs(&self, job: &JobName, pod: &str) -> Result<PodLog, KubeError> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &job.namespace);
        let params = LogParams {
            container: Some(CONTAINER.to_owned()),
            follow: true,
            ..LogParams::default()
        };
        match pods.log_stream(pod, &params).await {
            Ok(stream) => Ok(PodLog(Box::pin(stream))),
            Err(e) => Err(KubeError::Unavailable(format!(
                "reading the pod's log: {e}"
            ))),
        }
    }
}

impl PodLog {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// The connection's.
    pub async fn read(&mut self) -> io::Result<Option<Bytes>> {
        let read = Bytes::copy_from_slice(self.0.fill_buf().await?);
        self.0.consume_unpin(read.len());
        Ok((!read.is_empty()).then_some(read))
    }
}
