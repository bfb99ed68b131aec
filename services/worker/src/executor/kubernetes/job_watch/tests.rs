//! What the end of a pod that was taken away means.
use ck8s_kube::Exit as PodExit;

use super::*;

fn killed_pod(disruption: Option<&str>) -> PodView {
    PodView {
        name: "run-1".to_owned(),
        uid: "u".to_owned(),
        node: None,
        deleting: true,
        dead: true,
        disruption: disruption.map(str::to_owned),
        stage: Stage::Killed(exit(RunReason::Completed)),
    }
}

fn exit(reason: RunReason) -> PodExit {
    PodExit {
        reason,
        message: "Done.".to_owned(),
        code: Some(0),
    }
}

#[test]
fn a_workload_whose_pod_was_taken_away_has_not_succeeded() {
    let completed = Some(exit(RunReason::Completed));
    let event = killed_event(&killed_pod(None), completed.clone());
    assert!(matches!(event, WorkloadEvent::Lost(e) if e.message.contains("somebody else")));
    let event = killed_event(&killed_pod(Some("EvictionByEvictionAPI")), completed);
    assert!(matches!(event, WorkloadEvent::Lost(e) if e.reason == RunReason::Evicted));
    let event = killed_event(&killed_pod(None), Some(exit(RunReason::TimedOut)));
    assert!(matches!(event, WorkloadEvent::Ended(e) if e.reason == RunReason::TimedOut));
}
