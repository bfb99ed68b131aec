//! Why a workload does not start: Kubernetes says so only in the events of its Job and of its pod.
use ck8s_types::RunReason;
use futures::{Stream, TryStreamExt};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api,
    runtime::{WatchStreamExt, watcher},
};
use tokio::sync::mpsc;

use crate::{
    cluster::Cluster, exit::Exit, job_name::JobName, quota_excess::never_fits, watch::watch_config,
};

/// Something that keeps a workload from starting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StartTrouble {
    /// How the workload ends if this does not pass.
    pub exit: Exit,
    /// Whether it may pass by itself.
    pub hope: Hope,
}

/// Whether a trouble may pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hope {
    /// It does not: the workload never starts.
    None,
    /// It may.
    MayPass,
    /// It is on its way, and this is only what it waits for.
    OnItsWay,
    /// It passes when the service account of the namespace is there again.
    NeedsServiceAccount,
}

/// The troubles of one object, as Kubernetes reports them.
pub struct StartTroubles(mpsc::Receiver<StartTrouble>);

/// How many troubles may wait for whoever watches them.
const MAX_WAITING: usize = 16;

impl Cluster {
    /// Watches why the pod of a Job is not created.
    #[must_use]
    pub fn job_troubles(&self, job: &JobName) -> StartTroubles {
        let fields = format!("involvedObject.kind=Job,involvedObject.name={}", job.name());
        self.troubles(job, &fields)
    }

    /// Watches why the container of a pod does not start.
    #[must_use]
    pub fn pod_troubles(&self, job: &JobName, pod_uid: &str) -> StartTroubles {
        let fields = format!("involvedObject.kind=Pod,involvedObject.uid={pod_uid}");
        self.troubles(job, &fields)
    }

    fn troubles(&self, job: &JobName, fields: &str) -> StartTroubles {
        let events = Api::<Event>::namespaced(self.client.clone(), &job.namespace);
        let config = watch_config().fields(fields);
        let stream = watcher(events, config).default_backoff().applied_objects();
        let (sender, troubles) = mpsc::channel(MAX_WAITING);
        tokio::spawn(async move {
            tokio::select! {
                () = sender.closed() => {}
                () = forward(stream, &sender) => {}
            }
        });
        StartTroubles(troubles)
    }
}

impl StartTroubles {
    /// Waits for the next trouble. Cancel-safe.
    pub async fn next(&mut self) -> StartTrouble {
        match self.0.recv().await {
            Some(trouble) => trouble,
            None => std::future::pending().await,
        }
    }
}

async fn forward(
    stream: impl Stream<Item = watcher::Result<Event>>,
    troubles: &mpsc::Sender<StartTrouble>,
) {
    let mut stream = std::pin::pin!(stream);
    loop {
        match stream.try_next().await {
            Ok(Some(event)) => {
                if let Some(trouble) = trouble(&event)
                    && troubles.send(trouble).await.is_err()
                {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => tracing::warn!(%error, "a watch on events broke; it starts again"),
        }
    }
}

/// Returns the trouble that an event reports.
fn trouble(event: &Event) -> Option<StartTrouble> {
    let message = event.message.as_deref().unwrap_or_default();
    let (reason, sentence, hope) = match event.reason.as_deref()? {
        "FailedCreate" => creation_trouble(message)?,
        "Failed" if message.starts_with("Failed to pull image") => {
            let sentence = "The image cannot be pulled";
            (RunReason::ImagePull, sentence, Hope::MayPass)
        }
        "Pulling" => {
            let sentence = "The image is being pulled";
            (RunReason::StartTimedOut, sentence, Hope::OnItsWay)
        }
        "FailedCreatePodSandBox" => {
            let sentence = "The pod's sandbox cannot be made";
            (RunReason::StartTimedOut, sentence, Hope::MayPass)
        }
        "FailedMount" | "FailedAttachVolume" | "NetworkNotReady" | "FailedKillPod" | "Failed" => {
            let sentence = "The pod cannot be started yet";
            // "Error: ErrImagePull" and its like repeat the container's state.
            if message.starts_with("Error: ") {
                return None;
            }
            (RunReason::StartTimedOut, sentence, Hope::MayPass)
        }
        _ => return None,
    };
    Some(StartTrouble {
        exit: Exit::without_code(reason, sentence, message),
        hope,
    })
}

/// Returns what a message about a pod that was not created means.
fn creation_trouble(message: &str) -> Option<(RunReason, &'static str, Hope)> {
    let holds = |text: &str| message.contains(text);
    if holds("status unknown for quota") || holds("being terminated") {
        return None;
    }
    Some(if holds("exceeded quota") {
        let hope = if never_fits(message) {
            Hope::None
        } else {
            Hope::MayPass
        };
        let sentence = "The project's quota does not allow the pod";
        (RunReason::QuotaDenied, sentence, hope)
    } else if holds("serviceaccount") {
        let sentence = "The pod cannot be created yet";
        (
            RunReason::StartTimedOut,
            sentence,
            Hope::NeedsServiceAccount,
        )
    } else if holds("denied the request") {
        let sentence = "An admission webhook of the cluster refuses the pod";
        (RunReason::ConfigError, sentence, Hope::None)
    } else if holds("is forbidden") {
        let sentence = "The cluster does not allow the pod";
        (RunReason::ConfigError, sentence, Hope::None)
    } else if holds(" is invalid") {
        (RunReason::ConfigError, "The pod is invalid", Hope::None)
    } else {
        let sentence = "The pod cannot be created yet";
        (RunReason::StartTimedOut, sentence, Hope::MayPass)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(reason: &str, message: &str) -> Option<(RunReason, Hope)> {
        let event = Event {
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            ..Event::default()
        };
        trouble(&event).map(|t| {
            assert!(t.exit.message.ends_with(message), "the cause is told");
            (t.exit.reason, t.hope)
        })
    }

    #[test]
    fn what_never_passes_is_told_from_what_may() {
        let quota = |requested, limited| {
            format!(
                "Error creating: pods \"x\" is forbidden: exceeded quota: q, requested: pods={requested}, used: pods=1, limited: pods={limited}"
            )
        };
        let invalid =
            "Error creating: Pod \"x\" is invalid: spec.containers[0].image: Invalid value: \"i \"";
        let webhook = "Error creating: admission webhook \"w\" denied the request: no such label";
        for (message, reason, hope) in [
            (quota(1, 1).as_str(), RunReason::QuotaDenied, Hope::MayPass),
            (quota(1, 0).as_str(), RunReason::QuotaDenied, Hope::None),
            (
                "pods \"x\" is forbidden: violates PodSecurity",
                RunReason::ConfigError,
                Hope::None,
            ),
            (invalid, RunReason::ConfigError, Hope::None),
            (webhook, RunReason::ConfigError, Hope::None),
            (
                "failed calling webhook \"w\": timeout",
                RunReason::StartTimedOut,
                Hope::MayPass,
            ),
            (
                "pods \"x\" is forbidden: error looking up service account a/b: serviceaccount \"b\" not found",
                RunReason::StartTimedOut,
                Hope::NeedsServiceAccount,
            ),
        ] {
            assert_eq!(
                found("FailedCreate", message),
                Some((reason, hope)),
                "{message}"
            );
        }
        let unknown = "pods \"x\" is forbidden: status unknown for quota: ck8s";
        assert_eq!(found("FailedCreate", unknown), None);
    }

    #[test]
    fn the_events_of_a_pod_name_the_cause() {
        let sandbox =
            "Failed to create pod sandbox: container init was OOM-killed (memory limit too low?)";
        let start = RunReason::StartTimedOut;
        assert_eq!(
            found("FailedCreatePodSandBox", sandbox),
            Some((start, Hope::MayPass))
        );
        let pull = "Failed to pull image \"i\": dial tcp: lookup r: no such host";
        assert_eq!(
            found("Failed", pull),
            Some((RunReason::ImagePull, Hope::MayPass))
        );
        assert_eq!(
            found("Pulling", "Pulling image \"i\""),
            Some((start, Hope::OnItsWay))
        );
        assert_eq!(found("Failed", "Error: ImagePullBackOff"), None);
        assert_eq!(found("BackOff", "Back-off pulling image \"i\""), None);
    }
}
