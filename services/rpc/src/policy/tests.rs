//! Walks every method of the contract with every kind of caller, against a table that is kept by hand.
use std::collections::BTreeSet;

use ck8s_types::{ProjectId, RunId, SessionId, UserId};
use prost::Message;

use super::*;
use crate::caller::{Credential, Projects, SignedIn};

/// Who may call what: kinds of caller and roles of the mesh. `any` is every person; `read`, `write` and `own` are
/// people with that role in some project, or a higher one. Whoever adds a method adds a line, and thinks about it here.
const EXPECTED: &[(&str, &str)] = &[
    (
        "ck8s.auth.v1.AuthService/Authenticate",
        "edge ingress runs repositories auth",
    ),
    (
        "ck8s.auth.v1.AuthService/RecordDenial",
        "edge ingress runs repositories auth",
    ),
    ("ck8s.auth.v1.AuthService/WhoAmI", "any admin worker run"),
    (
        "ck8s.auth.v1.AuthService/RedeemLink",
        "anonymous admin edge",
    ),
    ("ck8s.auth.v1.AuthService/StartSignIn", "edge"),
    ("ck8s.auth.v1.AuthService/FinishSignIn", "edge"),
    ("ck8s.auth.v1.AuthService/StartDeviceSignIn", "anonymous"),
    ("ck8s.auth.v1.AuthService/PollDeviceSignIn", "anonymous"),
    ("ck8s.auth.v1.AuthService/RefreshSession", "anonymous edge"),
    (
        "ck8s.auth.v1.AuthService/SignOut",
        "anonymous any admin edge",
    ),
    (
        "ck8s.auth.v1.AuthService/ListSigningKeys",
        "anonymous any admin edge",
    ),
    ("ck8s.auth.v1.AuthService/RotateSigningKey", "admin"),
    ("ck8s.auth.v1.AuthService/Reseal", "admin"),
    ("ck8s.auth.v1.AuthService/ListUsers", "admin"),
    ("ck8s.auth.v1.AuthService/AddUser", "admin"),
    ("ck8s.auth.v1.AuthService/UpdateUser", "admin"),
    ("ck8s.auth.v1.AuthService/RemoveUser", "admin"),
    ("ck8s.auth.v1.AuthService/CreateToken", "any admin"),
    ("ck8s.auth.v1.AuthService/ListTokens", "any admin"),
    ("ck8s.auth.v1.AuthService/RevokeToken", "any admin"),
    ("ck8s.auth.v1.AuthService/JoinWorker", "anonymous"),
    ("ck8s.auth.v1.AuthService/RenewWorkerCertificate", "worker"),
    (
        "ck8s.auth.v1.ProjectsService/ListProjects",
        "any admin runs repositories ingress",
    ),
    (
        "ck8s.auth.v1.ProjectsService/GetProject",
        "read admin runs repositories ingress",
    ),
    ("ck8s.auth.v1.ProjectsService/CreateProject", "admin"),
    ("ck8s.auth.v1.ProjectsService/UpdateProject", "own admin"),
    ("ck8s.auth.v1.ProjectsService/DeleteProject", "admin"),
    ("ck8s.auth.v1.ProjectsService/ListMembers", "read admin"),
    ("ck8s.auth.v1.ProjectsService/AddMember", "own admin"),
    ("ck8s.auth.v1.ProjectsService/UpdateMember", "own admin"),
    ("ck8s.auth.v1.ProjectsService/RemoveMember", "own admin"),
    ("ck8s.ingress.v1.IngressService/IngestWebhook", "edge"),
    (
        "ck8s.ingress.v1.IngressService/ListDeliveries",
        "read admin",
    ),
    ("ck8s.ingress.v1.IngressService/GetDelivery", "read admin"),
    (
        "ck8s.ingress.v1.IngressService/ReplayDelivery",
        "write admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/ListRepositories",
        "read admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/GetRepository",
        "read admin ingress runs",
    ),
    ("ck8s.repositories.v1.RepositoriesService/Reseal", "admin"),
    (
        "ck8s.repositories.v1.RepositoriesService/AddRepository",
        "own admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/UpdateRepository",
        "own admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/RemoveRepository",
        "own admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/RotateWebhookSecret",
        "own admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/RotateCredential",
        "own admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/CheckRepository",
        "read admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/MendRepository",
        "own admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/SetSecret",
        "own admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/SetProjectSecret",
        "own admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/ListProjectSecrets",
        "read admin",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/ResolveRepositories",
        "ingress",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/ListScheduledRepositories",
        "ingress",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/NoteDelivery",
        "ingress",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/MayWrite",
        "ingress",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/ListHookDeliveries",
        "ingress",
    ),
    (
        "ck8s.repositories.v1.RepositoriesService/RedeliverHookDeliveries",
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
    ("ck8s.runs.v1.RunsService/ListRuns", "read admin"),
    (
        "ck8s.runs.v1.RunsService/GetRun",
        "read admin run ingress repositories",
    ),
    ("ck8s.runs.v1.RunsService/CreateRuns", "ingress"),
    ("ck8s.runs.v1.RunsService/StartRun", "write admin"),
    ("ck8s.runs.v1.RunsService/CancelRun", "write admin"),
    ("ck8s.runs.v1.RunsService/RetryRun", "write admin"),
    ("ck8s.runs.v1.RunsService/ExplainRun", "read admin"),
    ("ck8s.runs.v1.RunsService/WatchRuns", "read admin"),
    ("ck8s.runs.v1.RunsService/ListFlowEvents", "read admin run"),
    ("ck8s.runs.v1.RunsService/ReadLog", "read admin run"),
    ("ck8s.runs.v1.RunsService/ListSlots", "read admin"),
    ("ck8s.runs.v1.RunsService/SetSlots", "own admin"),
    ("ck8s.runs.v1.RunsService/ReleaseSlot", "admin"),
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
        (
            "admin".to_owned(),
            Caller::Admin {
                name: name.clone(),
                person: None,
            },
        ),
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
    let people = [
        None,
        Some(ProjectRole::Read),
        Some(ProjectRole::ReadWrite),
        Some(ProjectRole::Admin),
    ];
    callers.extend(people.map(|role| (format!("person {role:?}"), person(role))));
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

/// A member of one project with this role, or of none.
fn person(role: Option<ProjectRole>) -> Caller {
    let projects = Projects {
        everywhere: None,
        by_project: role
            .map(|role| (ProjectId::new(), role))
            .into_iter()
            .collect(),
    };
    Caller::Person {
        name: "octo".to_owned(),
        person: SignedIn {
            user_id: UserId::new(),
            with: Credential::Session(SessionId::new()),
        },
        projects: Arc::new(projects),
    }
}

/// Whether a word of the table means this caller.
fn means(admitted: &str, word: &str, caller: &Caller) -> bool {
    match caller {
        Caller::Person { projects, .. } => match admitted {
            "any" => true,
            "read" => projects.most() >= Some(ProjectRole::Read),
            "write" => projects.most() >= Some(ProjectRole::ReadWrite),
            "own" => projects.most() >= Some(ProjectRole::Admin),
            _ => false,
        },
        _ => admitted == word,
    }
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
            let expected = match admitted.split(' ').any(|a| means(a, &word, &caller)) {
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
fn only_health_and_what_leads_to_a_sign_in_or_out_is_open() {
    let policy = policy();
    let open: BTreeSet<&str> = policy
        .paths()
        .filter(|p| policy.check(p, &Caller::Anonymous) == Decision::Allow)
        .collect();
    let expected = BTreeSet::from([
        "/ck8s.auth.v1.AuthService/JoinWorker",
        "/ck8s.auth.v1.AuthService/ListSigningKeys",
        "/ck8s.auth.v1.AuthService/PollDeviceSignIn",
        "/ck8s.auth.v1.AuthService/RedeemLink",
        "/ck8s.auth.v1.AuthService/RefreshSession",
        "/ck8s.auth.v1.AuthService/SignOut",
        "/ck8s.auth.v1.AuthService/StartDeviceSignIn",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
    ]);
    assert_eq!(open, expected);
}

#[test]
fn every_known_caller_may_use_reflection() {
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
fn a_method_without_a_rule_is_not_served_and_strangers_do_not_learn_so() {
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
fn a_rule_that_contradicts_itself_stops_the_start() {
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
    assert_eq!(admits.project_role, Some(ProjectRole::ReadWrite));
    let any = |any_person, role| pb::Rule {
        any_person,
        ..rule(&[pb::Caller::Person], &[], role)
    };
    assert!(super::admits("/x.Y/Z", &any(true, none)).is_ok());
    assert!(super::admits("/x.Y/Z", &any(true, pb::ProjectRole::Read)).is_err());
    let nobody = pb::Rule {
        any_person: true,
        ..rule(&[pb::Caller::Admin], &[], none)
    };
    assert!(super::admits("/x.Y/Z", &nobody).is_err());
}

#[test]
fn the_contract_says_which_calls_may_be_repeated() {
    let policy = policy();
    let twice = |path: &str| policy.method(path).unwrap().repeatable;
    assert!(twice("/ck8s.ingress.v1.IngressService/IngestWebhook"));
    assert!(twice("/ck8s.runs.v1.RunsService/ListRuns"));
    // Without a request id it would start two.
    assert!(!twice("/ck8s.runs.v1.RunsService/StartRun"));
    // The token would be used up, and the answer with the certificate lost.
    assert!(!twice("/ck8s.auth.v1.AuthService/JoinWorker"));
}

#[test]
fn strangers_may_call_what_signing_in_needs() {
    let policy = policy();
    let mut open: Vec<&str> = policy
        .paths()
        .filter(|path| policy.admits_strangers(path))
        .filter_map(|path| path.strip_prefix("/ck8s.auth.v1.AuthService/"))
        .collect();
    open.sort_unstable();
    assert_eq!(
        open,
        [
            "JoinWorker",
            "ListSigningKeys",
            "PollDeviceSignIn",
            "RedeemLink",
            "RefreshSession",
            "SignOut",
            "StartDeviceSignIn",
        ]
    );
    let others = policy.paths().filter(|path| policy.admits_strangers(path));
    assert_eq!(others.count(), open.len(), "in no other service");
    assert!(!policy.admits_strangers("/grpc.health.v1.Health/Check"));
}
