//! What pods of all kinds mean.
use serde_json::json;

use super::*;

fn stage_of(status: serde_json::Value) -> Stage {
    stage(&serde_json::from_value(status).expect("is a status"), None)
}

fn reason(stage: &Stage) -> Option<RunReason> {
    match stage {
        Stage::Ended(exit)
        | Stage::Killed(exit)
        | Stage::Blocked(exit)
        | Stage::PullFailed { exit, .. } => Some(exit.reason),
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
        matches!(waiting("ErrImagePull"), Stage::PullFailed { exit, backs_off: false } if exit.message.ends_with("details"))
    );
    assert!(matches!(
        waiting("ImagePullBackOff"),
        Stage::PullFailed {
            backs_off: true,
            ..
        }
    ));
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
fn the_workloads_verdict_stands_when_a_child_used_too_much_memory() {
    let exit = |code: i32| {
        let terminated = json!({"terminated": {"reason": "OOMKilled", "exitCode": code}});
        match stage_of(with_state(&terminated)) {
            Stage::Ended(exit) => exit,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(exit(0).reason, RunReason::Completed);
    assert!(exit(0).message.ends_with(OOM_OF_A_CHILD));
    assert_eq!(exit(3).reason, RunReason::AgentError);
    assert_eq!(exit(137).reason, RunReason::OomKilled);
}

#[test]
fn an_eviction_for_the_nodes_sake_is_not_the_workloads_end() {
    let evicted = |message: &str| {
        stage_of(json!({"phase": "Failed", "reason": "Evicted", "message": message}))
    };
    for message in ["The node was low on resource: memory.", ""] {
        assert!(matches!(evicted(message), Stage::Killed(_)), "{message}");
    }
    let own = "Usage of EmptyDir volume \"work\" exceeds the limit \"2Gi\". ";
    assert!(matches!(evicted(own), Stage::Ended(_)));
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
