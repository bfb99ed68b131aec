//! What a pod's status means for its run. Pure.
use ck8s_types::RunReason;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, Pod, PodStatus};
use kube::ResourceExt;

use crate::exit::{Exit, with_details};

/// How far a pod is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stage {
    /// It has not started yet.
    Waiting {
        /// The scheduler's message, if no node can take the pod.
        unschedulable: Option<String>,
    },
    /// The image could not be pulled, once. The next pull may succeed.
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
    /// Its UID.
    pub uid: String,
    /// The node that it was scheduled on.
    pub node: Option<String>,
    /// Whether its node has reported that all its containers have ended: none runs, and none will.
    pub dead: bool,
    /// Why Kubernetes evicts it, if it does.
    pub disruption: Option<String>,
    /// How far it is.
    pub stage: Stage,
}

impl PodView {
    /// Whether none of its containers has run.
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
            dead: all_containers_ended(&status),
            disruption: condition(&status, "DisruptionTarget", "True"),
            stage: stage(&status),
        }
    }
}

fn all_containers_ended(status: &PodStatus) -> bool {
    let mut containers = status.container_statuses.iter().flatten().peekable();
    let terminated =
        |state: &Option<ContainerState>| state.as_ref().is_some_and(|s| s.terminated.is_some());
    containers.peek().is_some() && containers.all(|c| terminated(&c.state))
}

/// Returns the message of a condition, if it has this value.
fn condition(status: &PodStatus, kind: &str, value: &str) -> Option<String> {
    let condition = status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == kind && c.status == value)?;
    Some(
        condition
            .message
            .clone()
            .or(condition.reason.clone())
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
    if let Some(exit) = pod_failure(status, &state) {
        return Stage::Ended(exit);
    }
    if let Some(terminated) = &state.terminated {
        return Stage::Ended(container_exit(terminated));
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

/// Returns the exit of a pod that Kubernetes ended as a whole.
fn pod_failure(status: &PodStatus, state: &ContainerState) -> Option<Exit> {
    if status.phase.as_deref() != Some("Failed") {
        return None;
    }
    let pod_reason = status.reason.as_deref().unwrap_or_default();
    let reason = match pod_reason {
        "Evicted" | "Preempting" | "Preempted" | "NodeLost" | "NodeShutdown" | "Shutdown"
        | "Terminated" => RunReason::Evicted,
        "DeadlineExceeded" => RunReason::TimedOut,
        _ if pod_reason.starts_with("OutOf") => RunReason::Unschedulable,
        "NodeAffinity" | "UnexpectedAdmissionError" => RunReason::Unschedulable,
        _ if state.terminated.is_none() => RunReason::AgentError,
        _ => return None,
    };
    Some(Exit::without_code(
        reason,
        &format!("The pod failed ({pod_reason})"),
        status.message.as_deref().unwrap_or_default(),
    ))
}

fn container_exit(terminated: &ContainerStateTerminated) -> Exit {
    let code = terminated.exit_code;
    let message = terminated.message.as_deref().unwrap_or_default();
    let (reason, message) = match (terminated.reason.as_deref().unwrap_or_default(), code) {
        ("OOMKilled", _) => (
            RunReason::OomKilled,
            "The workload used more memory than it may and was killed.".to_owned(),
        ),
        ("StartError" | "ContainerCannotRun", _) => (
            RunReason::ConfigError,
            with_details("The container cannot be started", message),
        ),
        (_, 0) => return Exit::completed(),
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

/// Returns the stage of a container that waits for a reason that does not pass by itself.
fn blocked(reason: &str, message: &str) -> Option<Stage> {
    let pull_error =
        || Exit::without_code(RunReason::ImagePull, "The image cannot be pulled", message);
    match reason {
        "ErrImagePull" => Some(Stage::PullFailed(pull_error())),
        "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "RegistryUnavailable" => {
            Some(Stage::Blocked(pull_error()))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(Stage::Blocked(Exit::without_code(
                RunReason::ConfigError,
                "The container cannot be started",
                message,
            )))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stage_of(status: serde_json::Value) -> Stage {
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
            stage_of(with_state(
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
            stage_of(with_state(
                &json!({"waiting": {"reason": reason, "message": "details"}}),
            ))
        };
        assert!(
            matches!(waiting("ErrImagePull"), Stage::PullFailed(e) if e.message.ends_with("details"))
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
        assert_eq!(
            stage_of(with_state(&json!({"running": {}}))),
            Stage::Running
        );
        assert_eq!(
            reason(&stage_of(
                json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"})
            )),
            Some(RunReason::Evicted)
        );
        assert_eq!(
            reason(&stage_of(
                json!({"phase": "Failed", "reason": "DeadlineExceeded"})
            )),
            Some(RunReason::TimedOut)
        );
    }

    #[test]
    fn the_schedulers_message_is_kept() {
        let stage = stage_of(json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]}));
        assert_eq!(
            stage,
            Stage::Waiting {
                unschedulable: Some("0/1 nodes are available".into())
            }
        );
    }
}
