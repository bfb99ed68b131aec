//! What a call reaches, for each kind of caller.
use std::collections::BTreeMap;

use ck8s_types::{RunId, TokenId, UserId};
use tonic::Code;

use super::*;
use crate::caller::{Credential, SignedIn};

fn person(everywhere: Option<ProjectRole>, in_projects: &[(ProjectId, ProjectRole)]) -> Caller {
    Caller::Person {
        name: "octo".to_owned(),
        person: SignedIn {
            user_id: UserId::new(),
            with: Credential::Token(TokenId::new()),
        },
        projects: Arc::new(Projects {
            everywhere,
            by_project: BTreeMap::from_iter(in_projects.iter().copied()),
        }),
    }
}

fn missing() -> Status {
    status::not_found("run", "x")
}

#[test]
fn a_project_of_others_is_missing_and_a_lesser_role_learns_which_is_needed() {
    let (reads, writes, other) = (ProjectId::new(), ProjectId::new(), ProjectId::new());
    let person = person(
        None,
        &[(reads, ProjectRole::Read), (writes, ProjectRole::ReadWrite)],
    );
    let access = Access::new(&person, Some(ProjectRole::ReadWrite));
    assert!(access.is_unchecked());
    assert!(access.project(writes, missing).is_ok());
    assert!(!access.is_unchecked());
    let hidden = access.project(other, missing).unwrap_err();
    assert_eq!(
        (hidden.code(), hidden.message(), hidden.details()),
        (Code::NotFound, missing().message(), missing().details())
    );
    assert!(!access.was_refused());
    let refused = access.project(reads, missing).unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("read_write"), "{refused:?}");
    assert!(access.was_refused());
    assert_eq!(access.scope(), Scope::Projects(vec![writes]));
    assert!(access.was_refused(), "a later question does not hide it");
}

#[test]
fn a_greater_role_than_the_methods_that_is_missing_is_a_refusal() {
    let writes = ProjectId::new();
    let person = person(None, &[(writes, ProjectRole::ReadWrite)]);
    let access = Access::new(&person, Some(ProjectRole::ReadWrite));
    assert!(access.project(writes, missing).is_ok());
    assert!(access.has_role(writes, ProjectRole::ReadWrite));
    assert!(!access.was_refused());
    assert!(!access.has_role(writes, ProjectRole::Admin));
    assert!(access.was_refused());
}

#[test]
fn a_role_everywhere_is_in_every_project_and_not_outside() {
    let own = ProjectId::new();
    let person = person(Some(ProjectRole::Read), &[(own, ProjectRole::Admin)]);
    let access = Access::new(&person, Some(ProjectRole::Read));
    assert_eq!(access.role_in(ProjectId::new()), Some(ProjectRole::Read));
    assert_eq!(access.role_in(own), Some(ProjectRole::Admin));
    let scope = access.scope();
    assert!(scope.holds(Some(own)) && !scope.holds(None));
    let access = Access::new(&person, Some(ProjectRole::Admin));
    assert_eq!(access.scope(), Scope::Projects(vec![own]));
}

#[test]
fn other_callers_reach_everything_their_own_project_or_nothing() {
    let (own, other) = (ProjectId::new(), ProjectId::new());
    let run = Caller::Run {
        run_id: RunId::new(),
        project_id: own,
    };
    let role = Some(ProjectRole::Read);
    let access = Access::new(&run, role);
    assert!(access.project(own, missing).is_ok() && access.project(other, missing).is_err());
    assert_eq!(access.scope(), Scope::Projects(vec![own]));
    let admin = Caller::Admin {
        name: "me".to_owned(),
        person: None,
    };
    let access = Access::new(&admin, role);
    assert!(!access.is_unchecked(), "an admin may see everything");
    assert!(access.project(other, missing).is_ok() && access.scope().holds(None));
    let access = of(&Request::new(()));
    assert!(access.project(own, missing).is_err(), "no guard, nothing");
    assert_eq!(access.scope(), Scope::Projects(Vec::new()));
}
