//! What a pod's status means for its run. Pure.
use ck8s_types::RunReason;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, Pod, PodStatus};
use kube::ResourceExt;

/// How a workload ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// Why.
    pub reason: RunReason,
    /// In a sentence.
    pub message: String,
    /// Where one is known.
    pub code: Option<i32>,
}

/// How far a pod is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stage {
    /// On its way.
    Waiting {
        /// The scheduler's words, if no node can take it.
        unschedulable: Option<String>,
    },
    /// The image could not be pulled, once: it may be a passing fault.
    PullFailed(Exit),
    /// It will not start.
    Blocked(Exit),
    /// The container runs.
    Running,
    /// The container ended.
    Ended(Exit),
}

/// What is known of a pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// Where it is.
    pub node: Option<String>,
    /// Whether somebody has asked for its removal.
    pub deleting: bool,
    /// Whether its node has reported that every container of it has ended: nothing of it runs, and nothing will.
    pub dead: bool,
    /// Why Kubernetes removes it, if it does.
    pub disruption: Option<String>,
    /// How far it is.
    pub stage: Stage,
}

impl PodView {
    /// Whether no container of it has run.
    pub(crate) fn unstarted(&self) -> bool {
        matches!(
            self.stage,
            Stage::Waiting { .. } | Stage::PullFailed(_) | Stage::Blocked(_)
        )
    }

    pub(crate) fn of(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        Self {
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            node: pod.spec.as_ref().and_then(|s| s.node_name.clone()),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            dead: dead(&status),
            disruption: condition(&status, "DisruptionTarget", "True"),
            stage: stage(&status),
        }
    }
}

fn dead(status: &PodStatus) -> bool {
    let mut containers = status.container_statuses.iter().flatten().peekable();
    let terminated =
        |state: &Option<ContainerState>| state.as_ref().is_some_and(|s| s.terminated.is_some());
    containers.peek().is_some() && containers.all(|c| terminated(&c.state))
}

fn condition(status: &PodStatus, kind: &str, value: &str) -> Option<String> {
    let found = status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == kind && c.status == value)?;
    Some(
        found
            .message
            .clone()
            .or(found.reason.clone())
            .unwrap_or_default(),
    )
}

fn stage(status: &PodStatus) -> Stage {
    let state = status
        .container_statuses
        .iter()
        .flatten()
        .next()
        .and_then(|c| c.state.clone())
        .unwrap_or_default();
    if let Some(exit) = pod_fault(status, &state) {
        return Stage::Ended(exit);
    }
    if let Some(terminated) = &state.terminated {
        return Stage::Ended(exit(terminated));
    }
    if state.running.is_some() {
        return Stage::Running;
    }
    if let Some(waiting) = &state.waiting {
        let message = waiting.message.as_deref().unwrap_or_default();
        if let Some(stage) = blocked(waiting.reason.as_deref().unwrap_or_default(), message) {
            return stage;
        }
    }
    let unscheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == "PodScheduled" && c.reason.as_deref() == Some("Unschedulable"));
    Stage::Waiting {
        unschedulable: unscheduled.map(|c| c.message.clone().unwrap_or_default()),
    }
}

/// The pod as a whole was ended by Kubernetes.
fn pod_fault(status: &PodStatus, state: &ContainerState) -> Option<Exit> {
    if status.phase.as_deref() != Some("Failed") {
        return None;
    }
    let word = status.reason.as_deref().unwrap_or_default();
    let reason = match word {
        "Evicted" | "Preempting" | "Preempted" | "NodeLost" | "NodeShutdown" | "Shutdown"
        | "Terminated" => RunReason::Evicted,
        "DeadlineExceeded" => RunReason::TimedOut,
        _ if word.starts_with("OutOf") => RunReason::Unschedulable,
        "NodeAffinity" | "UnexpectedAdmissionError" => RunReason::Unschedulable,
        _ if state.terminated.is_none() => RunReason::AgentError,
        _ => return None,
    };
    Some(Exit {
        reason,
        message: sentence(
            &format!("The pod failed ({word})"),
            status.message.as_deref().unwrap_or_default(),
        ),
        code: None,
    })
}

fn exit(terminated: &ContainerStateTerminated) -> Exit {
    let code = terminated.exit_code;
    let word = terminated.reason.as_deref().unwrap_or_default();
    let told = terminated.message.as_deref().unwrap_or_default();
    let (reason, message) = match (word, code) {
        ("OOMKilled", _) => (
            RunReason::OomKilled,
            "The workload used more memory than it may and was killed.".to_owned(),
        ),
        ("StartError" | "ContainerCannotRun", _) => (
            RunReason::ConfigError,
            sentence("The container cannot be started", told),
        ),
        (_, 0) => (
            RunReason::Completed,
            "The workload ended with exit code 0.".to_owned(),
        ),
        (_, code) if code > 128 => (
            RunReason::AgentError,
            format!(
                "The workload was ended by signal {} (exit code {code}).",
                code - 128
            ),
        ),
        (_, code) => (
            RunReason::AgentError,
            format!("The workload ended with exit code {code}."),
        ),
    };
    Exit {
        reason,
        message,
        code: Some(code),
    }
}

fn blocked(word: &str, told: &str) -> Option<Stage> {
    let exit = |reason, message: String| Exit {
        reason,
        message,
        code: None,
    };
    let pull = || {
        exit(
            RunReason::ImagePull,
            sentence("The image cannot be pulled", told),
        )
    };
    match word {
        "ErrImagePull" => Some(Stage::PullFailed(pull())),
        "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "RegistryUnavailable" => {
            Some(Stage::Blocked(pull()))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(Stage::Blocked(exit(
                RunReason::ConfigError,
                sentence("The container cannot be started", told),
            )))
        }
        _ => None,
    }
}

pub(crate) fn sentence(what: &str, told: &str) -> String {
    if told.is_empty() {
        format!("{what}.")
    } else {
        format!("{what}: {told}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(status: serde_json::Value) -> Stage {
        stage(&serde_json::from_value(status).expect("is a status"))
    }

    fn reason(stage: &Stage) -> Option<RunReason> {
        match stage {
            Stage::Ended(e) | Stage::Blocked(e) | Stage::PullFailed(e) => Some(e.reason),
            Stage::Waiting { .. } | Stage::Running => None,
        }
    }

    fn with_state(state: &serde_json::Value) -> serde_json::Value {
        json!({"phase": "Pending", "containerStatuses": [{"name": "run", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state}]})
    }

    #[test]
    fn conditions_become_named_reasons() {
        let ended = |reason: &str, code: i32| {
            of(with_state(
                &json!({"terminated": {"reason": reason, "exitCode": code}}),
            ))
        };
        assert_eq!(reason(&ended("Completed", 0)), Some(RunReason::Completed));
        assert_eq!(reason(&ended("Error", 3)), Some(RunReason::AgentError));
        assert_eq!(reason(&ended("OOMKilled", 137)), Some(RunReason::OomKilled));
        assert_eq!(
            reason(&ended("StartError", 128)),
            Some(RunReason::ConfigError)
        );
        let waiting = |reason: &str| {
            of(with_state(
                &json!({"waiting": {"reason": reason, "message": "told"}}),
            ))
        };
        assert!(
            matches!(waiting("ErrImagePull"), Stage::PullFailed(e) if e.message.ends_with("told"))
        );
        assert_eq!(
            reason(&waiting("ImagePullBackOff")),
            Some(RunReason::ImagePull)
        );
        assert_eq!(
            reason(&waiting("ErrImageNeverPull")),
            Some(RunReason::ImagePull)
        );
        assert_eq!(
            reason(&waiting("CreateContainerConfigError")),
            Some(RunReason::ConfigError)
        );
        assert_eq!(reason(&waiting("ContainerCreating")), None);
        assert_eq!(of(with_state(&json!({"running": {}}))), Stage::Running);
        assert_eq!(
            reason(&of(
                json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"})
            )),
            Some(RunReason::Evicted)
        );
        assert_eq!(
            reason(&of(
                json!({"phase": "Failed", "reason": "DeadlineExceeded"})
            )),
            Some(RunReason::TimedOut)
        );
    }

    #[test]
    fn the_schedulers_words_are_kept() {
        let stage = of(json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]}));
        assert_eq!(
            stage,
            Stage::Waiting {
                unschedulable: Some("0/1 nodes are available".into())
            }
        );
    }
}
