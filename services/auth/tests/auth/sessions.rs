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
async fn concurrent_refreshes_get_the_same_refresh_token() {
    let (server, session) = signed_in().await;
    let tries = (0..8).map(|_| refresh(&server, &session.refresh_token));
    let answers = futures::future::join_all(tries).await;
    let next: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    for one in &next {
        assert_eq!(one.refresh_token, next[0].refresh_token);
        assert_eq!(one.refresh_expire_time, next[0].refresh_expire_time);
        assert!(lives(&server, one).await);
    }
    let tokens = "SELECT count(*)::text FROM auth.refresh_tokens";
    assert_eq!(server.text(tokens).await, "2");
    assert_eq!(server.events("session.reused").await, 0);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_until_its_token_is_used() {
    let (server, first) = signed_in().await;
    let second = refresh(&server, &first.refresh_token).await.unwrap();
    let again = refresh(&server, &first.refresh_token).await.unwrap();
    assert_eq!(again.refresh_token, second.refresh_token);
    let third = refresh(&server, &second.refresh_token).await.unwrap();
    // The second token may come again now. The first one is a copy: its successor was used.
    let again = refresh(&server, &second.refresh_token).await.unwrap();
    assert_eq!(again.refresh_token, third.refresh_token);
    assert!(lives(&server, &third).await);
    let copied = refresh(&server, &first.refresh_token).await.unwrap_err();
    assert_eq!(reason(&copied), "SESSION_REFUSED");
    assert!(!lives(&server, &third).await);
    assert_eq!(server.events("session.reused").await, 1);
}

#[tokio::test]
async fn a_spent_token_that_comes_late_ends_the_session() {
    let (server, first) = signed_in().await;
    let second = refresh(&server, &first.refresh_token).await.unwrap();
    server
        .sql("UPDATE auth.refresh_tokens SET spent_at = spent_at - interval '21 seconds'")
        .await;
    assert!(refresh(&server, &first.refresh_token).await.is_err());
    assert!(!lives(&server, &second).await);
    assert!(refresh(&server, &second.refresh_token).await.is_err());
    assert_eq!(server.events("session.reused").await, 1);
}

#[tokio::test]
async fn repeated_refreshes_count_and_end_with_the_session() {
    let (server, first) = signed_in().await;
    refresh(&server, &first.refresh_token).await.unwrap();
    let limited = loop {
        if let Err(status) = refresh(&server, &first.refresh_token).await {
            break status;
        }
    };
    assert_eq!(limited.code(), Code::ResourceExhausted);
    assert!(lives(&server, &first).await);
    let request = pb::SignOutRequest {
        refresh_token: first.refresh_token.clone(),
    };
    server.auth_client().sign_out(request).await.unwrap();
    let over = refresh(&server, &first.refresh_token).await.unwrap_err();
    assert_eq!(reason(&over), "SESSION_REFUSED");
    assert_eq!(server.events("session.reused").await, 0);
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
async fn sign_out_needs_the_refresh_token_alone() {
    const STALE: &str = "eyJhbGciOiJFZERTQSJ9.e30.c3RhbGU";
    let (server, session) = signed_in().await;
    let request = pb::SignOutRequest {
        refresh_token: session.refresh_token.clone(),
    };
    let request = with_bearer(STALE, request);
    server.auth_client().sign_out(request).await.unwrap();
    assert!(!lives(&server, &session).await);
    // Without one, the access token must be valid.
    let request = with_bearer(STALE, pb::SignOutRequest::default());
    let refused = server.auth_client().sign_out(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    // A stale token opens nothing that strangers may not do.
    let request = with_bearer(STALE, pb::WhoAmIRequest {});
    let refused = server.auth_client().who_am_i(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
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
