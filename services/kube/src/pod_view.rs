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
    /// The container ended after the removal of its pod was asked for. Whatever its exit code, it did not end by
    /// itself.
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
        return match exit.reason {
            RunReason::AgentError if deletion_second.is_some() => Stage::Killed(exit),
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
        stage(&serde_json::from_value(status).expect("is a status"), None)
    }

    fn reason(stage: &Stage) -> Option<RunReason> {
        match stage {
            Stage::Ended(e) | Stage::Killed(e) | Stage::Blocked(e) | Stage::PullFailed(e) => {
                Some(e.reason)
            }
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
    fn the_workloads_container_decides_beside_an_injected_one() {
        let status = |name: &str, state: serde_json::Value| json!({"name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state});
        let failed = status(
            "run",
            json!({"terminated": {"reason": "Error", "exitCode": 3}}),
        );
        let sidecar = status("istio-proxy", json!({"running": {}}));
        let ended = status(
            "istio-proxy",
            json!({"terminated": {"reason": "Completed", "exitCode": 0}}),
        );
        for statuses in [
            [sidecar.clone(), failed.clone()],
            [failed.clone(), sidecar],
            [ended.clone(), failed],
        ] {
            let stage = stage_of(json!({"phase": "Running", "containerStatuses": statuses}));
            assert!(matches!(stage, Stage::Ended(e) if e.code == Some(3)));
        }
        let running = status("run", json!({"running": {}}));
        let stage = stage_of(json!({"phase": "Running", "containerStatuses": [ended, running]}));
        assert_eq!(stage, Stage::Running);
    }

    #[test]
    fn a_workload_that_ends_after_its_pods_removal_was_asked_for_did_not_end_by_itself() {
        let stage_at = |finished_at: &str, code: i32| {
            let pod = json!({
                "metadata": {
                    "name": "p", "uid": "u",
                    "deletionTimestamp": "2026-01-01T00:00:35Z", "deletionGracePeriodSeconds": 30,
                },
                "status": with_state(
                    &json!({"terminated": {"exitCode": code, "finishedAt": finished_at}}),
                ),
            });
            let pod: Pod = serde_json::from_value(pod).expect("is a pod");
            PodView::of(&pod).stage
        };
        for code in [0, 143] {
            for finished_at in ["2026-01-01T00:00:05Z", "2026-01-01T00:00:20Z"] {
                assert!(matches!(stage_at(finished_at, code), Stage::Killed(_)));
            }
        }
        assert_eq!(
            stage_at("2026-01-01T00:00:04Z", 0),
            Stage::Ended(Exit::completed())
        );
    }

    #[test]
    fn only_codes_of_signals_are_taken_for_signals() {
        let message = |code: i32| {
            let stage = stage_of(with_state(&json!({"terminated": {"exitCode": code}})));
            match stage {
                Stage::Ended(exit) => exit.message,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            message(137),
            "The workload was ended by signal 9 (exit code 137)."
        );
        for code in [1, 128, 193, 255] {
            assert_eq!(
                message(code),
                format!("The workload ended with exit code {code}.")
            );
        }
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
