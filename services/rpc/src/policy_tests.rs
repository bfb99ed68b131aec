//! Walks every method of the contract with every kind of caller, against a table that is kept by hand.
use std::collections::BTreeSet;

use ck8s_types::{ProjectId, RunId};
use prost::Message;

use super::*;

/// Who may call what: kinds of caller and roles of the mesh. Whoever adds a method adds a line, and thinks about it here.
const EXPECTED: &[(&str, &str)] = &[
    (
        "ck8s.auth.v1.AuthService/Authenticate",
        "edge ingress runs repositories auth",
    ),
    ("ck8s.auth.v1.AuthService/WhoAmI", "admin worker run"),
    ("ck8s.auth.v1.AuthService/RedeemLink", "anonymous admin"),
    ("ck8s.auth.v1.AuthService/CreateToken", "admin"),
    ("ck8s.auth.v1.AuthService/ListTokens", "admin"),
    ("ck8s.auth.v1.AuthService/RevokeToken", "admin"),
    ("ck8s.auth.v1.AuthService/JoinWorker", "anonymous"),
    ("ck8s.auth.v1.AuthService/RenewWorkerCertificate", "worker"),
    (
        "ck8s.auth.v1.ProjectsService/ListProjects",
        "admin runs repositories ingress",
    ),
    (
        "ck8s.auth.v1.ProjectsService/GetProject",
        "admin runs repositories ingress",
    ),
    ("ck8s.auth.v1.ProjectsService/CreateProject", "admin"),
    ("ck8s.auth.v1.ProjectsService/UpdateProject", "admin"),
    ("ck8s.auth.v1.ProjectsService/DeleteProject", "admin"),
    ("ck8s.ingress.v1.IngressService/IngestWebhook", "edge"),
    ("ck8s.ingress.v1.IngressService/ListDeliveries", "admin"),
    ("ck8s.ingress.v1.IngressService/GetDelivery", "admin"),
    ("ck8s.ingress.v1.IngressService/ReplayDelivery", "admin"),
    (
        "ck8s.repositories.v1.RepositoriesService/ListRepositories",
        "admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/GetRepository",
        "admin ingress runs",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/AddRepository",
        "admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/UpdateRepository",
        "admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/RemoveRepository",
        "admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/RotateWebhookSecret",
        "admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/SetSecret",
        "admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/ResolveRepositories",
        "ingress",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/OpenSecrets",
        "runs",
    ),
    ("ck8s.runs.v1.LeaseService/Lease", "worker"),
    ("ck8s.runs.v1.LeaseService/AppendLog", "worker"),
    ("ck8s.runs.v1.LeaseService/OpenRunSecrets", "worker"),
    ("ck8s.runs.v1.LeaseService/FilterSweepable", "worker"),
    ("ck8s.runs.v1.RunsService/ListRuns", "admin"),
    ("ck8s.runs.v1.RunsService/GetRun", "admin run ingress"),
    ("ck8s.runs.v1.RunsService/CreateRuns", "ingress"),
    ("ck8s.runs.v1.RunsService/StartRun", "admin"),
    ("ck8s.runs.v1.RunsService/CancelRun", "admin"),
    ("ck8s.runs.v1.RunsService/RetryRun", "admin"),
    ("ck8s.runs.v1.RunsService/ExplainRun", "admin"),
    ("ck8s.runs.v1.RunsService/WatchRuns", "admin"),
    ("ck8s.runs.v1.RunsService/ListFlowEvents", "admin run"),
    ("ck8s.runs.v1.RunsService/ReadLog", "admin run"),
    ("ck8s.runs.v1.RunsService/ListSlots", "admin"),
    ("ck8s.runs.v1.RunsService/SetSlots", "admin"),
    ("ck8s.runs.v1.RunsService/ListWorkers", "admin"),
    ("ck8s.runs.v1.RunsService/DrainWorker", "admin"),
    (
        "ck8s.runs.v1.RunsService/AuthenticateRun",
        "edge ingress runs repositories auth",
    ),
];

/// Every kind of caller, by the word of the table.
fn callers() -> Vec<(String, Caller)> {
    let name = "x".to_owned();
    let mut callers = vec![
        ("anonymous".to_owned(), Caller::Anonymous),
        ("admin".to_owned(), Caller::Admin { name: name.clone() }),
        (
            "worker".to_owned(),
            Caller::Worker {
                name,
                certified: None,
            },
        ),
        (
            "run".to_owned(),
            Caller::Run {
                run_id: RunId::new(),
                project_id: ProjectId::new(),
            },
        ),
    ];
    let roles = [
        "edge",
        "ingress",
        "runs",
        "repositories",
        "auth",
        "learning",
        "worker-node",
    ];
    callers.extend(roles.map(|role| (role.to_owned(), Caller::Service { role: role.into() })));
    callers
}

fn policy() -> Policy {
    Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap()
}

#[test]
fn every_method_admits_exactly_the_callers_of_the_table() {
    let policy = policy();
    let listed: BTreeSet<String> = EXPECTED.iter().map(|(m, _)| format!("/{m}")).collect();
    let served: BTreeSet<String> = policy
        .paths()
        .filter(|p| p.starts_with("/ck8s."))
        .map(str::to_owned)
        .collect();
    assert_eq!(served, listed, "the table and the contract differ");
    let mut wrong = Vec::new();
    for (method, admitted) in EXPECTED {
        for (word, caller) in callers() {
            let expected = match admitted.split(' ').any(|a| a == word) {
                true => Decision::Allow,
                false if caller == Caller::Anonymous => Decision::Unauthenticated,
                false => Decision::Denied,
            };
            let got = policy.check(&format!("/{method}"), &caller);
            if got != expected {
                wrong.push(format!("{method} {word}: {got:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_open_but_health_and_what_a_one_time_code_is_for() {
    let policy = policy();
    let open: BTreeSet<&str> = policy
        .paths()
        .filter(|p| policy.check(p, &Caller::Anonymous) == Decision::Allow)
        .collect();
    let expected = BTreeSet::from([
        "/ck8s.auth.v1.AuthService/JoinWorker",
        "/ck8s.auth.v1.AuthService/RedeemLink",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
    ]);
    assert_eq!(open, expected);
}

#[test]
fn reflection_is_for_whoever_is_known() {
    let policy = policy();
    for path in REFLECTION {
        for (word, caller) in callers() {
            let expected = match word.as_str() {
                "anonymous" => Decision::Unauthenticated,
                _ => Decision::Allow,
            };
            assert_eq!(policy.check(path, &caller), expected, "{path} {word}");
        }
    }
}

#[test]
fn what_has_no_rule_is_not_served_and_strangers_do_not_learn_it() {
    let policy = policy();
    let unknown = [
        "",
        "/",
        "/ck8s.auth.v1.AuthService",
        "/ck8s.auth.v1.AuthService/",
        "/ck8s.auth.v1.AuthService/whoami",
        "//ck8s.auth.v1.AuthService/WhoAmI",
        "/ck8s.auth.v1.AuthService/WhoAmI/",
    ];
    for path in unknown {
        for (word, caller) in callers() {
            let expected = match word.as_str() {
                "anonymous" => Decision::Unauthenticated,
                _ => Decision::NotServed,
            };
            assert_eq!(policy.check(path, &caller), expected, "{path} {word}");
        }
    }
}

#[test]
fn a_method_of_ours_without_a_rule_stops_the_start() {
    // prost-types loses extensions: the same contract without one rule.
    let set = prost_types::FileDescriptorSet::decode(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
    match Policy::from_descriptor_set(&set.encode_to_vec()) {
        Err(PolicyError::NoRule { method }) => assert!(method.starts_with("/ck8s."), "{method}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        Policy::from_descriptor_set(&[]),
        Err(PolicyError::NoOption)
    ));
}

#[test]
fn a_rule_that_says_nothing_sensible_stops_the_start() {
    let rule = |callers: &[pb::Caller], services: &[&str], role: pb::ProjectRole| pb::Rule {
        callers: callers.iter().map(|c| *c as i32).collect(),
        project_role: role as i32,
        services: services.iter().map(|s| (*s).to_owned()).collect(),
        any_person: false,
    };
    let none = pb::ProjectRole::Unspecified;
    let bad = [
        rule(&[pb::Caller::Unspecified], &[], none),
        rule(&[pb::Caller::Service], &[], none),
        rule(&[pb::Caller::Admin], &["edge"], none),
        rule(&[pb::Caller::Person], &[], none),
        rule(&[pb::Caller::Admin], &[], pb::ProjectRole::Read),
    ];
    for rule in bad {
        assert!(admits("/x.Y/Z", &rule).is_err(), "{rule:?}");
    }
    let person = rule(&[pb::Caller::Person], &[], pb::ProjectRole::ReadWrite);
    let admits = admits("/x.Y/Z", &person).unwrap();
    assert_eq!(admits.project_role, Some(pb::ProjectRole::ReadWrite));
}

#[test]
fn the_contract_says_what_may_be_made_twice() {
    let policy = policy();
    let twice = |path: &str| policy.method(path).unwrap().repeatable;
    assert!(twice("/ck8s.ingress.v1.IngressService/IngestWebhook"));
    assert!(twice("/ck8s.runs.v1.RunsService/ListRuns"));
    // Without a request id it would start two.
    assert!(!twice("/ck8s.runs.v1.RunsService/StartRun"));
    // The token would be used up, and the answer with the certificate lost.
    assert!(!twice("/ck8s.auth.v1.AuthService/JoinWorker"));
}
