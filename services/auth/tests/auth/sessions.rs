//! Sessions: refreshing them, reuse and races of refresh tokens, and the ways in which they end.
use ck8s_proto::auth::v1::{self as pb, auth_service_server::AuthService};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    browser_sign_in::{edge, reason, sign_in, start},
    server::{TestServer, with_bearer},
};

async fn refresh(server: &TestServer, token: &str) -> Result<pb::Session, Status> {
    let request = pb::RefreshSessionRequest {
        refresh_token: token.to_owned(),
    };
    let refreshed = server.auth_client().refresh_session(request).await?;
    Ok(refreshed.into_inner().session.unwrap())
}

async fn lives(server: &TestServer, session: &pb::Session) -> bool {
    let request = pb::AuthenticateRequest {
        token: session.access_token.clone(),
    };
    match edge(server).authenticate(request).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status.code(), Code::Unauthenticated);
            false
        }
    }
}

async fn signed_in() -> (TestServer, pb::Session) {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let session = sign_in(&server, &github).await.unwrap().session.unwrap();
    (server, session)
}

#[tokio::test]
async fn the_reuse_of_a_refresh_token_ends_the_session() {
    let (server, first) = signed_in().await;
    let second = refresh(&server, &first.refresh_token).await.unwrap();
    assert_eq!(second.id, first.id);
    assert_ne!(second.refresh_token, first.refresh_token);
    assert!(lives(&server, &first).await && lives(&server, &second).await);
    let third = refresh(&server, &second.refresh_token).await.unwrap();

    let reused = refresh(&server, &first.refresh_token).await.unwrap_err();
    assert_eq!(
        (reused.code(), reason(&reused).as_str()),
        (Code::Unauthenticated, "SESSION_REFUSED")
    );
    for session in [&first, &second, &third] {
        assert!(!lives(&server, session).await);
    }
    for token in [&third.refresh_token, "ck8s_ref_x", ""] {
        let refused = refresh(&server, token).await.unwrap_err();
        assert_eq!(
            (refused.message(), refused.details()),
            (reused.message(), reused.details())
        );
    }
    assert_eq!(server.events("session.reused").await, 1);
    assert_eq!(
        server.text("SELECT ended_because FROM auth.sessions").await,
        "reused"
    );
}

#[tokio::test]
async fn of_concurrent_refreshes_at_most_one_succeeds_and_the_session_ends() {
    let (server, session) = signed_in().await;
    let tries = (0..8).map(|_| refresh(&server, &session.refresh_token));
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(!lives(&server, &session).await);
    assert_eq!(
        server
            .text("SELECT count(*)::text FROM auth.refresh_tokens")
            .await,
        "2"
    );
    assert_eq!(server.events("session.reused").await, 1);
}

#[tokio::test]
async fn sign_out_ends_all_tokens_of_the_session() {
    let (server, session) = signed_in().await;
    let request = |token: &str| pb::SignOutRequest {
        refresh_token: token.to_owned(),
    };
    let mut client = server.auth_client();
    client.sign_out(request("ck8s_ref_unknown")).await.unwrap();
    client.sign_out(request("")).await.unwrap();
    assert!(lives(&server, &session).await);
    client
        .sign_out(request(&session.refresh_token))
        .await
        .unwrap();
    assert!(!lives(&server, &session).await);
    assert!(refresh(&server, &session.refresh_token).await.is_err());
    client
        .sign_out(request(&session.refresh_token))
        .await
        .unwrap();
    assert_eq!(server.events("session.ended").await, 1);
    assert_eq!(server.events("session.reused").await, 0);
}

#[tokio::test]
async fn sign_out_by_access_token_ends_the_callers_session() {
    let (server, session) = signed_in().await;
    let request = with_bearer(&session.access_token, pb::SignOutRequest::default());
    // The handler reads the bearer token itself, whatever caller the guard made of it.
    AuthService::sign_out(&server.auth, request).await.unwrap();
    assert!(!lives(&server, &session).await);
    let request = with_bearer(&server.admin, pb::SignOutRequest::default());
    AuthService::sign_out(&server.auth, request).await.unwrap();
    assert!(
        server.who_am_i(&server.admin).await.is_ok(),
        "an API token has no session"
    );
}

#[tokio::test]
async fn a_session_expires() {
    let (server, session) = signed_in().await;
    let days = "SELECT (extract(epoch FROM expires_at - created_at) / 86400)::int::text FROM auth.";
    assert_eq!(server.text_of(format!("{days}sessions")).await, "30");
    assert_eq!(server.text_of(format!("{days}refresh_tokens")).await, "7");
    server
        .sql("UPDATE auth.sessions SET expires_at = now() + interval '1 day'")
        .await;
    let next = refresh(&server, &session.refresh_token).await.unwrap();
    let ends = next.refresh_expire_time.unwrap().seconds
        - time::OffsetDateTime::now_utc().unix_timestamp();
    assert!(
        ends <= 86_400,
        "no refresh token outlives its session: {ends}"
    );
    server
        .sql("UPDATE auth.refresh_tokens SET expires_at = now()")
        .await;
    assert!(refresh(&server, &next.refresh_token).await.is_err());
    assert!(
        lives(&server, &next).await,
        "an expired token is not taken for a stolen one"
    );
    server
        .sql("UPDATE auth.sessions SET expires_at = now()")
        .await;
    assert!(!lives(&server, &next).await);
}

#[tokio::test]
async fn removing_a_user_ends_their_sessions() {
    let (server, session) = signed_in().await;
    server
        .sql("DELETE FROM auth.users WHERE email = 'ada@example.com'")
        .await;
    assert!(!lives(&server, &session).await);
    assert!(refresh(&server, &session.refresh_token).await.is_err());
}

#[tokio::test]
async fn a_session_has_the_current_rights_of_its_user() {
    let (server, session) = signed_in().await;
    server
        .sql("WITH p AS (INSERT INTO auth.projects (id, slug, name) VALUES (gen_random_uuid(), 'demo', 'Demo') RETURNING id)
              INSERT INTO auth.members (project_id, user_id, role) SELECT p.id, u.id, 'read_write' FROM p, auth.users u
              WHERE u.email = 'ada@example.com'")
        .await;
    let ask = || pb::AuthenticateRequest {
        token: session.access_token.clone(),
    };
    let person = edge(&server)
        .authenticate(ask())
        .await
        .unwrap()
        .into_inner()
        .person
        .unwrap();
    assert_eq!(person.memberships.len(), 1);
    let role = ck8s_proto::policy::v1::ProjectRole::ReadWrite;
    assert_eq!(person.memberships[0].role(), role);
    server
        .sql("UPDATE auth.users SET platform_admin = true")
        .await;
    server.sql("DELETE FROM auth.members").await;
    let person = edge(&server)
        .authenticate(ask())
        .await
        .unwrap()
        .into_inner()
        .person
        .unwrap();
    assert!(person.platform_admin && person.memberships.is_empty());
}

#[tokio::test]
async fn too_many_refreshes_are_asked_to_retry_later() {
    let (server, mut session) = signed_in().await;
    let limited = loop {
        match refresh(&server, &session.refresh_token).await {
            Ok(next) => session = next,
            Err(status) => break status,
        }
    };
    assert_eq!(limited.code(), Code::ResourceExhausted);
    assert!(
        limited
            .get_details_retry_info()
            .unwrap()
            .retry_delay
            .is_some()
    );
    assert!(
        lives(&server, &session).await,
        "a limited refresh spends no token"
    );
    assert_eq!(server.events("session.reused").await, 0);
}
