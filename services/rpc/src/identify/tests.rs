//! The caller that a response of AuthService describes.
use std::sync::atomic::{AtomicUsize, Ordering};

use ck8s_proto::policy::v1::ProjectRole as Role;
use ck8s_types::{ProjectId, ProjectRole, SessionId, TokenId};
use http_body_util::StreamBody;
use hyper::body::Frame;
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

/// A mesh on which auth knows these tokens, and how often it was asked.
struct Auth {
    mesh: Mesh,
    calls: Arc<AtomicUsize>,
    down: CancellationToken,
}

impl Auth {
    fn knowing(tokens: &'static [&str]) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let answer = move |request: axum::extract::Request| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                let body = axum::body::to_bytes(request.into_body(), 10_000)
                    .await
                    .unwrap();
                let text = String::from_utf8_lossy(&body);
                if !tokens.iter().any(|token| text.contains(token)) {
                    return Status::unauthenticated("nobody's").into_http();
                }
                let admin = auth::AuthenticateResponse {
                    kind: auth::TokenKind::Admin.into(),
                    name: "me".to_owned(),
                    ..Default::default()
                };
                let message = prost::Message::encode_to_vec(&admin);
                let mut frame = vec![0; 4];
                frame.push(u8::try_from(message.len()).unwrap());
                frame.extend(message);
                let mut trailers = http::HeaderMap::new();
                Status::new(Code::Ok, "").add_header(&mut trailers).unwrap();
                let ok = Frame::trailers(trailers);
                let frames = [Frame::data(bytes::Bytes::from(frame)), ok].map(Ok::<_, Status>);
                let body = StreamBody::new(futures::stream::iter(frames));
                http::Response::builder()
                    .header("content-type", "application/grpc")
                    .body(axum::body::Body::new(body))
                    .unwrap()
            }
        };
        let (mesh, down) = (Mesh::new(), CancellationToken::new());
        let (served, stop) = (mesh.clone(), down.clone());
        let routes = axum::Router::new().fallback(answer).into();
        tokio::spawn(async move {
            let none = tower::layer::util::Identity::new();
            served.serve(routes, none, stop).await.unwrap();
        });
        Self { mesh, calls, down }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Drop for Auth {
    fn drop(&mut self) {
        self.down.cancel();
    }
}

#[tokio::test]
async fn concurrent_requests_with_one_token_ask_once() {
    let auth = Auth::knowing(&[]);
    let identify = MeshIdentify::new(auth.mesh.channel("edge"));
    let ask = |token| identify.identify(token, None);
    let same = futures::future::join_all((0..10).map(|_| ask("ck8s_adm_x"))).await;
    assert!(same.iter().all(|r| *r == Err(IdentifyError::Unknown)));
    assert_eq!(auth.calls(), 1);
    assert_eq!(ask("ck8s_adm_y").await, Err(IdentifyError::Unknown));
    assert_eq!(auth.calls(), 2);
}

#[tokio::test]
async fn unknown_tokens_are_counted_by_address_and_a_proven_one_goes_on() {
    let auth = Auth::knowing(&["ck8s_adm_good"]);
    let identify = MeshIdentify::new(auth.mesh.channel("edge")).with_failure_rate(30);
    let (bad, other) = (
        Some("192.0.2.1".parse().unwrap()),
        Some("192.0.2.2".parse().unwrap()),
    );
    identify.identify("ck8s_adm_good", bad).await.unwrap();
    for n in 0..11 {
        let made_up = format!("ck8s_adm_{n}");
        let unknown = identify.identify(&made_up, bad).await;
        assert_eq!(unknown, Err(IdentifyError::Unknown), "{n}");
    }
    let asked = auth.calls();
    for made_up in ["ck8s_adm_x", "ck8s_adm_0", "not a token"] {
        let refused = identify.identify(made_up, bad).await;
        assert!(
            matches!(refused, Err(IdentifyError::TooMany(_))),
            "{refused:?}"
        );
    }
    assert_eq!(auth.calls(), asked, "nobody is asked");
    // Others are not counted with it, and neither is a token that was somebody's there.
    let unknown = identify.identify("ck8s_adm_x", other).await;
    assert_eq!(unknown, Err(IdentifyError::Unknown));
    identify.callers.invalidate_all();
    identify.identify("ck8s_adm_good", bad).await.unwrap();
}

#[tokio::test]
async fn made_up_tokens_do_not_fill_the_cache() {
    let auth = Auth::knowing(&["ck8s_adm_good"]);
    let identify = MeshIdentify::new(auth.mesh.channel("edge"));
    for n in 0..300 {
        let _ = identify.identify(&format!("ck8s_adm_{n}"), None).await;
    }
    identify.callers.run_pending_tasks().await;
    assert_eq!(identify.callers.entry_count(), 0);
    identify.identify("ck8s_adm_good", None).await.unwrap();
    identify.callers.run_pending_tasks().await;
    assert_eq!(identify.callers.entry_count(), 1);
}
