//! Texts that cannot be stored.
use ck8s_types::{DeliveryId, ProjectId};

use super::*;

fn new_run(spec: pb::RunSpec) -> pb::NewRun {
    pb::NewRun {
        delivery_id: DeliveryId::new().to_string(),
        project_id: ProjectId::new().to_string(),
        spec: Some(spec),
        trigger: Some(pb::RunTrigger {
            actor: "mo\0na".to_owned(),
            ..pb::RunTrigger::default()
        }),
        ..pb::NewRun::default()
    }
}

#[test]
fn a_text_that_cannot_be_stored_is_refused_before_it_reaches_the_database() {
    let text = "a\0b".to_owned();
    let specs = [
        pb::RunSpec {
            labels: vec![text.clone()],
            ..pb::RunSpec::default()
        },
        pb::RunSpec {
            concurrency_group: text,
            ..pb::RunSpec::default()
        },
    ];
    for spec in specs {
        let refused = DeliveryRun::try_from(new_run(spec)).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        assert!(refused.message().contains("NUL"), "{refused:?}");
    }
}

#[test]
fn a_nul_character_in_a_payload_does_not_stop_its_run() {
    let run = DeliveryRun::try_from(new_run(pb::RunSpec::default())).unwrap();
    assert_eq!(run.trigger.actor, "mona");
}

#[test]
fn a_spec_that_kubernetes_would_refuse_is_refused_at_the_start_of_a_run() {
    let start = |spec: pb::RunSpec| {
        let request = pb::StartRunRequest {
            spec: Some(spec),
            ..pb::StartRunRequest::default()
        };
        StartRun::try_from(request).map_err(|error| error.to_string())
    };
    let memory = pb::RunSpec {
        memory: "512m".to_owned(),
        ..pb::RunSpec::default()
    };
    let refused = start(memory).expect_err("is refused");
    assert!(refused.contains("512Mi"), "{refused}");
}
