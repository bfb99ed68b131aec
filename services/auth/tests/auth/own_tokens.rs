//! API tokens of people: limited to their scopes and to the current rights of their users.
use ck8s_proto::{auth::v1 as pb, policy::v1::Caller, policy::v1::ProjectRole as Role};
use tonic::Code;

use crate::server::{TestServer, admin_token, refusal, until, with_bearer};

fn own(name: &str, max_role: Role, project: &str) -> pb::CreateTokenRequest {
    pb::CreateTokenRequest {
        name: name.to_owned(),
        kind: pb::TokenKind::Person.into(),
        max_role: max_role.into(),
        project: project.to_owned(),
        ..Default::default()
    }
}

async fn make(
    server: &TestServer,
    by: &str,
    request: pb::CreateTokenRequest,
) -> Result<pb::CreateTokenResponse, tonic::Status> {
    let mut client = server.auth_client();
    let made = client.create_token(with_bearer(by, request));
    Ok(made.await?.into_inner())
}

async fn roles(server: &TestServer, token: &str) -> Vec<(String, Role)> {
    let person = server.who_am_i(token).await.unwrap().person.unwrap();
    let memberships = person.memberships.iter();
    let mut roles: Vec<_> = memberships
        .map(|m| (m.project_id.clone(), m.role()))
        .collect();
    roles.sort_by(|a, b| a.0.cmp(&b.0));
    roles
}

async fn names(server: &TestServer, token: &str) -> Vec<String> {
    let list = pb::ListTokensRequest::default();
    let mut client = server.auth_client();
    let listed = client.list_tokens(with_bearer(token, list));
    let tokens = listed.await.unwrap().into_inner().tokens;
    tokens.into_iter().map(|t| t.name).collect()
}

fn revoke(token: &str) -> pb::RevokeTokenRequest {
    pb::RevokeTokenRequest {
        token: token.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_token_is_limited_to_its_scope_and_to_the_current_rights_of_its_user() {
    let server = TestServer::start().await;
    let (a, b) = (server.project("a").await, server.project("b").await);
    let (octo, token) = server.person("octo@x", false).await;
    server.member("a", &octo.id, Role::Admin).await;
    server.member("b", &octo.id, Role::Read).await;
    until("is a member", || async {
        roles(&server, &token).await.len() == 2
    })
    .await;

    let made = make(&server, &token, own("rw", Role::ReadWrite, ""))
        .await
        .unwrap();
    let kept = made.token.unwrap();
    assert!(made.secret.starts_with("ck8s_usr_"));
    assert_eq!(
        (kept.kind(), &kept.user_id),
        (pb::TokenKind::Person, &octo.id)
    );
    assert_eq!(kept.max_role(), Role::ReadWrite);
    let who = server.who_am_i(&made.secret).await.unwrap();
    assert_eq!((who.caller(), &*who.name), (Caller::Person, "octo@x"));
    let expected = [(a.id.clone(), Role::ReadWrite), (b.id.clone(), Role::Read)];
    assert_eq!(roles(&server, &made.secret).await, expected);

    let in_b = make(&server, &token, own("b", Role::Admin, &b.id))
        .await
        .unwrap();
    assert_eq!(
        roles(&server, &in_b.secret).await,
        [(b.id.clone(), Role::Read)]
    );
    // The token's rights follow those of its user, up to its scope.
    let change = |role: Role| pb::UpdateMemberRequest {
        project: "b".into(),
        user: octo.id.clone(),
        role: role.into(),
        ..Default::default()
    };
    let mut projects = server.projects_client();
    projects
        .update_member(server.admin(change(Role::ReadWrite)))
        .await
        .unwrap();
    until("may more", || async {
        roles(&server, &in_b.secret).await == [(b.id.clone(), Role::ReadWrite)]
    })
    .await;
    let hidden = server.project("hidden").await;
    let refused = make(&server, &token, own("x", Role::Read, &hidden.id)).await;
    assert_eq!(
        refusal(refused),
        (Code::NotFound, "PROJECT_NOT_FOUND".into())
    );
}

#[tokio::test]
async fn a_token_creates_none_with_more_rights_or_a_longer_life() {
    let server = TestServer::start().await;
    server.project("a").await;
    server.project("b").await;
    let (octo, whole) = server.person("octo@x", false).await;
    server.member("a", &octo.id, Role::Admin).await;
    server.member("b", &octo.id, Role::Admin).await;
    until("is a member", || async {
        roles(&server, &whole).await.len() == 2
    })
    .await;
    let soon = |seconds| {
        let at = time::OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
        Some(ck8s_rpc::convert::timestamp(at))
    };
    let until_soon = |request: pb::CreateTokenRequest, seconds| pb::CreateTokenRequest {
        expire_time: soon(seconds),
        ..request
    };
    let limited = until_soon(own("limited", Role::ReadWrite, "a"), 600);
    let limited = make(&server, &whole, limited).await.unwrap().secret;
    let wider = (Code::PermissionDenied, "TOKEN_SCOPED".to_owned());
    for request in [
        own("x", Role::Read, "a"),
        until_soon(own("x", Role::Read, "a"), 700),
        until_soon(own("x", Role::Admin, "a"), 60),
        until_soon(own("x", Role::Unspecified, "a"), 60),
        until_soon(own("x", Role::Read, ""), 60),
    ] {
        assert_eq!(refusal(make(&server, &limited, request).await), wider);
    }
    let narrower = until_soon(own("narrower", Role::Read, "a"), 60);
    let narrower = make(&server, &limited, narrower).await.unwrap();
    // It revokes itself, and no other token.
    let mut auth = server.auth_client();
    let refused = auth
        .revoke_token(with_bearer(&limited, revoke("narrower")))
        .await;
    assert_eq!(refusal(refused), wider);
    auth.revoke_token(with_bearer(&narrower.secret, revoke("narrower")))
        .await
        .unwrap();
}

#[tokio::test]
async fn people_create_see_and_revoke_their_own_tokens_only() {
    let server = TestServer::start().await;
    let (_, octo) = server.person("octo@x", false).await;
    let (_, cat) = server.person("cat@x", false).await;
    let refused = make(&server, &octo, admin_token("root")).await;
    assert_eq!(
        refusal(refused),
        (Code::PermissionDenied, "OWN_TOKENS_ONLY".into())
    );
    let nobody = make(&server, &server.admin, own("x", Role::Read, "")).await;
    assert_eq!(refusal(nobody).0, Code::InvalidArgument);
    let scoped = pb::CreateTokenRequest {
        max_role: Role::Read.into(),
        ..admin_token("x")
    };
    let scoped = make(&server, &server.admin, scoped).await;
    assert_eq!(refusal(scoped).0, Code::InvalidArgument);

    // Names are each person's own.
    let id = uuid::Uuid::now_v7().to_string();
    let ci = pb::CreateTokenRequest {
        request_id: id,
        ..own("ci", Role::Unspecified, "")
    };
    let mine = make(&server, &octo, ci.clone()).await.unwrap();
    let others = make(&server, &cat, ci).await;
    assert_eq!(
        refusal(others).0,
        Code::InvalidArgument,
        "the request id of another user"
    );
    let others = make(&server, &cat, own("ci", Role::Unspecified, ""))
        .await
        .unwrap();
    server.create_token(admin_token("ci")).await;
    let again = make(&server, &octo, own("ci", Role::Read, "")).await;
    assert_eq!(refusal(again), (Code::AlreadyExists, "TOKEN_EXISTS".into()));
    assert_eq!(names(&server, &octo).await, ["ci", "first"]);
    assert_eq!(names(&server, &server.admin).await.len(), 6);

    let mut auth = server.auth_client();
    let hidden = others.token.unwrap().id;
    for name in [&*hidden, "local-admin"] {
        let refused = auth.revoke_token(with_bearer(&octo, revoke(name))).await;
        assert_eq!(refusal(refused), (Code::NotFound, "TOKEN_NOT_FOUND".into()));
    }
    auth.revoke_token(with_bearer(&octo, revoke("ci")))
        .await
        .unwrap();
    until("it ends", || async {
        server.who_am_i(&mine.secret).await.is_err()
    })
    .await;
    assert!(server.who_am_i(&others.secret).await.is_ok());
    auth.revoke_token(server.admin(revoke(&hidden)))
        .await
        .unwrap();
    until("the admin ends it", || async {
        server.who_am_i(&others.secret).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn a_limited_token_of_a_platform_admin_has_its_role_in_every_project() {
    let server = TestServer::start().await;
    server.project("a").await;
    let (_, admin) = server.person("boss@x", true).await;
    let limited = make(&server, &admin, own("ro", Role::Read, ""))
        .await
        .unwrap();
    let who = server.who_am_i(&limited.secret).await.unwrap();
    assert_eq!(who.caller(), Caller::Person);
    let person = who.person.unwrap();
    assert!(!person.platform_admin);
    assert_eq!(person.everywhere(), Role::Read);
    let mut projects = server.projects_client();
    let list = pb::ListProjectsRequest::default();
    let listed = projects.list_projects(with_bearer(&limited.secret, list));
    let listed = listed.await.unwrap().into_inner().projects;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].role(), Role::Read);
    let list = pb::ListUsersRequest::default();
    let mut auth = server.auth_client();
    let refused = auth.list_users(with_bearer(&limited.secret, list)).await;
    assert_eq!(
        refusal(refused),
        (Code::PermissionDenied, "NOT_ALLOWED".into())
    );
}
