//! Why a Job's pod does not appear: Kubernetes says it only in events.
use ck8s_types::RunReason;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api,
    runtime::{WatchStreamExt, watcher},
};

use crate::{Cluster, Exit, JobName, pod::sentence};

/// A pod that could not be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreationFault(pub Exit);

impl Cluster {
    /// Waits until Kubernetes says that it will not make the Job's pod. Never returns if it makes it.
    pub async fn creation_fault(&self, job: &JobName) -> CreationFault {
        let events = Api::<Event>::namespaced(self.client.clone(), &job.namespace);
        let fields = format!("involvedObject.kind=Job,involvedObject.name={}", job.name());
        let config = watcher::Config::default().fields(&fields);
        let stream = watcher(events, config).default_backoff().applied_objects();
        let mut stream = std::pin::pin!(stream);
        loop {
            match stream.try_next().await {
                Ok(Some(event)) => {
                    if let Some(fault) = fault(&event) {
                        return fault;
                    }
                }
                Ok(None) => std::future::pending().await,
                Err(error) => {
                    tracing::warn!(job = %job, %error, "the watch on events broke; it starts again");
                }
            }
        }
    }
}

fn fault(event: &Event) -> Option<CreationFault> {
    let told = event.message.as_deref().unwrap_or_default();
    if event.reason.as_deref() != Some("FailedCreate") || told.contains("status unknown for quota")
    {
        return None;
    }
    let (reason, what) = if told.contains("exceeded quota") {
        (
            RunReason::QuotaDenied,
            "The project's quota does not allow the pod",
        )
    } else if told.contains("is forbidden")
        && !told.contains("serviceaccount")
        && !told.contains("being terminated")
    {
        (RunReason::ConfigError, "The cluster does not allow the pod")
    } else {
        return None;
    };
    Some(CreationFault(Exit {
        reason,
        message: sentence(what, told),
        code: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lasting_faults_count() {
        let reason = |told: &str| {
            let event = Event {
                reason: Some("FailedCreate".to_owned()),
                message: Some(told.to_owned()),
                ..Event::default()
            };
            fault(&event).map(|f| f.0.reason)
        };
        let quota =
            "Error creating: pods \"x\" is forbidden: exceeded quota: ck8s, requested: pods=1";
        assert_eq!(reason(quota), Some(RunReason::QuotaDenied));
        assert_eq!(
            reason("pods \"x\" is forbidden: violates PodSecurity"),
            Some(RunReason::ConfigError)
        );
        assert_eq!(
            reason("pods \"x\" is forbidden: status unknown for quota: ck8s"),
            None
        );
        assert_eq!(reason("etcd leader changed"), None);
    }
}
