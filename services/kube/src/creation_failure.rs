//! Why a Job's pod is not created: Kubernetes says so only in events.
use ck8s_types::RunReason;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api,
    runtime::{WatchStreamExt, watcher},
};

use crate::{cluster::Cluster, exit::Exit, job_name::JobName};

/// A pod that Kubernetes refuses to create.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreationFailure(pub Exit);

impl Cluster {
    /// Waits until Kubernetes says that it will not create the Job's pod. Never returns if it creates it.
    pub async fn creation_failure(&self, job: &JobName) -> CreationFailure {
        let events = Api::<Event>::namespaced(self.client.clone(), &job.namespace);
        let fields = format!("involvedObject.kind=Job,involvedObject.name={}", job.name());
        let config = watcher::Config::default().fields(&fields);
        let stream = watcher(events, config).default_backoff().applied_objects();
        let mut stream = std::pin::pin!(stream);
        loop {
            match stream.try_next().await {
                Ok(Some(event)) => {
                    if let Some(failure) = lasting_failure(&event) {
                        return failure;
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

/// Returns the failure that an event reports, unless it may pass.
fn lasting_failure(event: &Event) -> Option<CreationFailure> {
    let message = event.message.as_deref().unwrap_or_default();
    if event.reason.as_deref() != Some("FailedCreate")
        || message.contains("status unknown for quota")
    {
        return None;
    }
    let is_forbidden = message.contains("is forbidden")
        && !message.contains("serviceaccount")
        && !message.contains("being terminated");
    let (reason, sentence) = if message.contains("exceeded quota") {
        (
            RunReason::QuotaDenied,
            "The project's quota does not allow the pod",
        )
    } else if is_forbidden {
        (RunReason::ConfigError, "The cluster does not allow the pod")
    } else {
        return None;
    };
    Some(CreationFailure(Exit::without_code(
        reason, sentence, message,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lasting_failures_count() {
        let reason = |message: &str| {
            let event = Event {
                reason: Some("FailedCreate".to_owned()),
                message: Some(message.to_owned()),
                ..Event::default()
            };
            lasting_failure(&event).map(|f| f.0.reason)
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
