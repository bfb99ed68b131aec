//! The caller that a response of AuthService describes.
use std::sync::atomic::{AtomicUsize, Ordering};

use ck8s_proto::policy::v1::ProjectRole as Role;
use ck8s_types::{ProjectId, ProjectRole, SessionId, TokenId};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::mesh::Mesh;

fn response(person: auth::Person) -> auth::AuthenticateResponse {
    auth::AuthenticateResponse {
        token_id: TokenId::new().to_string(),
        kind: auth::TokenKind::Person.into(),
        person: Some(person),
        ..Default::default()
    }
}

fn octo(memberships: &[(String, Role)]) -> auth::Person {
    let membership = |(project, role): &(String, Role)| auth::Membership {
        project_id: project.clone(),
        role: (*role).into(),
    };
    auth::Person {
        user_id: UserId::new().to_string(),
        name: "octo".to_owned(),
        memberships: memberships.iter().map(membership).collect(),
        ..Default::default()
    }
}

#[test]
fn a_person_has_the_roles_of_their_memberships() {
    let project = ProjectId::new();
    let first = response(octo(&[(project.to_string(), Role::ReadWrite)]));
    let caller = token_caller(first.clone()).unwrap();
    assert_eq!(caller.actor(), "user:octo");
    let Caller::Person {
        person, projects, ..
    } = &caller
    else {
        panic!("{caller:?}");
    };
    assert_eq!(projects.role_in(project), Some(ProjectRole::ReadWrite));
    assert_eq!(projects.role_in(ProjectId::new()), None);
    assert!(matches!(person.with, Credential::Token(_)));

    let session = auth::AuthenticateResponse {
        session_id: SessionId::new().to_string(),
        ..first
    };
    let other = token_caller(session).unwrap();
    assert!(!other.has_rights_of(&caller), "another credential");
}

#[test]
fn a_platform_admin_is_named_as_the_person() {
    let admin = auth::Person {
        platform_admin: true,
        ..octo(&[])
    };
    let caller = token_caller(response(admin)).unwrap();
    assert!(matches!(
        &caller,
        Caller::Admin {
            person: Some(_),
            ..
        }
    ));
    assert_eq!(caller.actor(), "user:octo");
}

#[test]
fn a_response_that_cannot_be_read_is_nobody() {
    let project = ProjectId::new().to_string();
    let bad = [
        response(octo(&[("x".to_owned(), Role::Read)])),
        response(octo(&[(project, Role::Unspecified)])),
        response(auth::Person {
            user_id: "x".to_owned(),
            ..octo(&[])
        }),
        auth::AuthenticateResponse {
            person: None,
            ..response(octo(&[]))
        },
        auth::AuthenticateResponse {
            token_id: String::new(),
            ..response(octo(&[]))
        },
    ];
    for first in bad {
        assert_eq!(token_caller(first.clone()), None, "{first:?}");
    }
}

#[test]
fn only_what_could_be_a_token_is_looked_up() {
    let long = "a".repeat(4096);
    for good in [
        "ck8s_adm_x",
        "a.b.c",
        "eyJ-_0.x.",
        &format!("{}..", &long[2..]),
    ] {
        assert!(could_be_ours(good), "{good}");
    }
    let many = format!("ck8s_{}", &long[..200]);
    for bad in [
        "",
        "x",
        "a.b",
        "a.b.c.d",
        "a.b.c=",
        "a b.c.d",
        &many,
        &format!("{long}.."),
    ] {
        assert!(!could_be_ours(bad), "{bad}");
    }
}

#[tokio::test]
async fn concurrent_requests_with_one_token_ask_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let refuse = move |_: axum::extract::Request| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Status::unauthenticated("nobody's").into_http::<axum::body::Body>() }
    };
    let mesh = Mesh::new();
    let down = CancellationToken::new();
    let serving = tokio::spawn({
        let (mesh, down) = (mesh.clone(), down.clone());
        let routes = axum::Router::new().fallback(refuse).into();
        async move {
            let none = tower::layer::util::Identity::new();
            mesh.serve(routes, none, down).await
        }
    });
    let identify = MeshIdentify::new(mesh.channel("edge"));
    let same = futures::future::join_all((0..10).map(|_| identify.identify("ck8s_adm_x"))).await;
    assert!(same.iter().all(|r| *r == Err(IdentifyError::Unknown)));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let other = identify.identify("ck8s_adm_y").await;
    assert_eq!(other, Err(IdentifyError::Unknown));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    down.cancel();
    serving.await.unwrap().unwrap();
}
