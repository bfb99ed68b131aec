//! What a pod's status means for its run. Pure.
use std::ops::RangeInclusive;

use ck8s_types::RunReason;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, Pod, PodStatus};
use kube::ResourceExt;

use crate::{
    exit::{Exit, with_details},
    labels::CONTAINER,
};

/// The exit codes that stand for a signal: 128 and the number of one of Linux' 64 signals. Larger codes are a program's
/// own.
const SIGNAL_EXIT_CODES: RangeInclusive<i32> = 129..=192;

/// The exit code of a container whose first process the kernel killed for its memory.
const OOM_EXIT_CODE: i32 = 137;
/// What is said of a workload that lived on when the kernel killed one of its processes.
const OOM_OF_A_CHILD: &str =
    "One of its processes used more memory than the workload may, and was killed.";
/// How a node begins to say that it evicts a pod because of what the pod itself did.
const OWN_FAULT_EVICTIONS: [&str; 3] = [
    "Usage of EmptyDir volume",
    "Pod ephemeral local storage usage exceeds",
    "Container ",
];

/// How far a pod is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stage {
    /// It has not started yet.
    Waiting {
        /// The scheduler's message, if no node can take the pod.
        unschedulable: Option<String>,
    },
    /// The image could not be pulled. The node tries again.
    PullFailed {
        /// Why the workload does not start if no pull succeeds.
        exit: Exit,
        /// Whether the node waits before it tries again. Then older nodes do not say what went wrong.
        backs_off: bool,
    },
    /// It will not start.
    Blocked(Exit),
    /// The container runs.
    Running,
    /// The container ended.
    Ended(Exit),
    /// The container ended after the removal of its pod was asked for, or its node evicted the pod for the node's own
    /// sake. Whatever its exit code, it did not end by itself.
    Killed(Exit),
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
    /// Whether its removal was asked for.
    pub deleting: bool,
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
            Stage::Waiting { .. } | Stage::PullFailed { .. } | Stage::Blocked(_)
        )
    }

    pub(crate) fn of(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        Self {
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            node: pod.spec.as_ref().and_then(|s| s.node_name.clone()),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            dead: all_containers_ended(&status),
            disruption: condition(&status, "DisruptionTarget", "True"),
            stage: stage(&status, deletion_second(pod)),
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

/// Returns when the removal of a pod was asked for, in seconds since 1970. The pod's deletion time is when its grace is
/// over.
fn deletion_second(pod: &Pod) -> Option<i64> {
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
    let grace_end = pod.metadata.deletion_timestamp.as_ref()?;
    Some(grace_end.0.as_second() - grace)
}

/// Whether a container ended after the removal of its pod was asked for. Times are whole seconds: of two that are
/// equal, the removal counts as the earlier one, because a run must not be taken for a success that it may not be.
fn was_killed(terminated: &ContainerStateTerminated, deletion_second: Option<i64>) -> bool {
    let end = terminated.finished_at.as_ref().map(|t| t.0.as_second());
    match (deletion_second, end) {
        (Some(deletion), Some(end)) => end >= deletion,
        (deletion, None) => deletion.is_some(),
        (None, Some(_)) => false,
    }
}

/// Returns how far the pod's workload is. Other containers, which somebody may have injected, do not count.
fn stage(status: &PodStatus, deletion_second: Option<i64>) -> Stage {
    let state = status
        .container_statuses
        .iter()
        .flatten()
        .find(|c| c.name == CONTAINER)
        .and_then(|c| c.state.clone())
        .unwrap_or_default();
    if let Some(exit) = pod_failure(status, &state) {
        let message = status.message.as_deref().unwrap_or_default();
        return match exit.reason {
            RunReason::AgentError if deletion_second.is_some() => Stage::Killed(exit),
            RunReason::Evicted if !is_own_fault(message) => Stage::Killed(exit),
            _ => Stage::Ended(exit),
        };
    }
    if let Some(terminated) = &state.terminated {
        let exit = container_exit(terminated);
        return if was_killed(terminated, deletion_second) {
            Stage::Killed(exit)
        } else {
            Stage::Ended(exit)
        };
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

/// Whether a node evicts a pod because the pod used more than it may, so that another attempt would end likewise.
fn is_own_fault(message: &str) -> bool {
    OWN_FAULT_EVICTIONS
        .iter()
        .any(|beginning| message.starts_with(beginning))
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
        ("OOMKilled", 0) => {
            return Exit {
                message: format!("{} {OOM_OF_A_CHILD}", Exit::completed().message),
                ..Exit::completed()
            };
        }
        ("OOMKilled", code) if code != OOM_EXIT_CODE => (
            RunReason::AgentError,
            format!("The workload ended with exit code {code}. {OOM_OF_A_CHILD}"),
        ),
        ("OOMKilled", _) => (
            RunReason::OomKilled,
            "The workload used more memory than it may and was killed.".to_owned(),
        ),
        ("StartError" | "ContainerCannotRun", _) => (
            RunReason::ConfigError,
            with_details("The container cannot be started", message),
        ),
        (_, 0) => return Exit::completed(),
        (_, code) if SIGNAL_EXIT_CODES.contains(&code) => (
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
        "ErrImagePull" | "RegistryUnavailable" | "ImagePullBackOff" => Some(Stage::PullFailed {
            exit: pull_error(),
            backs_off: reason == "ImagePullBackOff",
        }),
        "InvalidImageName" | "ErrImageNeverPull" => Some(Stage::Blocked(pull_error())),
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
mod tests;
