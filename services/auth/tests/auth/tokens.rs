//! API tokens: creating, listing, using and revoking them, and repeated calls.
use ck8s_proto::auth::v1 as pb;
use tonic::Code;

use crate::server::{TestServer, admin_token, until};

async fn names(server: &TestServer, include_ended: bool) -> Vec<String> {
    let list = pb::ListTokensRequest {
        include_ended,
        ..Default::default()
    };
    let listed = server.auth_client().list_tokens(server.admin(list)).await;
    let tokens = listed.unwrap().into_inner().tokens;
    tokens.into_iter().map(|token| token.name).collect()
}

fn revoke(token: &str) -> pb::RevokeTokenRequest {
    pb::RevokeTokenRequest {
        token: token.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_token_is_created_listed_used_and_revoked() {
    let server = TestServer::start().await;
    let created = server.create_token(admin_token("ci")).await;
    let token = created.token.unwrap();
    assert!(created.secret.starts_with("ck8s_adm_") && created.secret.len() == 52);
    assert_eq!(server.who_am_i(&created.secret).await.unwrap().name, "ci");
    assert_eq!(names(&server, false).await, ["ci", "local-admin"]);
    until("its use is noted", || async {
        let used: bool = sqlx::query_scalar(
            "SELECT last_used_at IS NOT NULL FROM auth.tokens WHERE name = 'ci'",
        )
        .fetch_one(&server.owner)
        .await
        .unwrap();
        used
    })
    .await;

    let mut client = server.auth_client();
    let ended = client.revoke_token(server.admin(revoke(&token.id))).await;
    let ended = ended.unwrap().into_inner().token.unwrap();
    assert!(ended.revoke_time.is_some());
    let again = client.revoke_token(server.admin(revoke(&token.id))).await;
    let again = again.unwrap().into_inner().token.unwrap();
    assert_eq!(again.revoke_time, ended.revoke_time);
    assert_eq!(names(&server, false).await, ["local-admin"]);
    assert_eq!(names(&server, true).await, ["ci", "local-admin"]);
    assert_eq!(server.events("token.created").await, 2);
    assert_eq!(server.events("token.revoked").await, 1);
    let gone = client.revoke_token(server.admin(revoke("nope"))).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn no_table_contains_a_secret_of_a_token() {
    let server = TestServer::start().await;
    let request = pb::CreateTokenRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        ..admin_token("ci")
    };
    let secret = server.create_token(request).await.secret;
    let code = server.auth.bootstrap().create_link().await.unwrap();
    for secret in [&secret[9..], &code, &server.admin[9..]] {
        let found: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM auth.tokens t WHERE t::text LIKE '%' || $1 || '%')
                  + (SELECT count(*) FROM auth.links l WHERE l::text LIKE '%' || $1 || '%')
                  + (SELECT count(*) FROM auth.requests r
                     WHERE position(convert_to($1, 'UTF8') IN r.response) > 0)
                  + (SELECT count(*) FROM audit.flow_events e WHERE e::text LIKE '%' || $1 || '%')",
        )
        .bind(secret)
        .fetch_one(&server.owner)
        .await
        .unwrap();
        assert_eq!(found, 0);
    }
}

#[tokio::test]
async fn a_repeated_call_returns_the_same_token_without_its_secret() {
    let server = TestServer::start().await;
    let request = pb::CreateTokenRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        ..admin_token("ci")
    };
    let calls = (0..8).map(|_| server.create_token(request.clone()));
    let answers = futures::future::join_all(calls).await;
    let secrets = answers.iter().filter(|a| !a.secret.is_empty()).count();
    assert_eq!(secrets, 1);
    assert!(answers.iter().all(|a| a.token == answers[0].token));
    assert_eq!(server.events("token.created").await, 2);

    let other = pb::RevokeTokenRequest {
        request_id: request.request_id,
        token: "ci".into(),
    };
    let mut client = server.auth_client();
    let refused = client.revoke_token(server.admin(other)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(names(&server, false).await, ["ci", "local-admin"]);
}

#[tokio::test]
async fn a_name_is_free_after_its_token_ended() {
    let server = TestServer::start().await;
    let mut client = server.auth_client();
    server.create_token(admin_token("ci")).await;
    let taken = client.create_token(server.admin(admin_token("ci"))).await;
    assert_eq!(taken.unwrap_err().code(), Code::AlreadyExists);
    client
        .revoke_token(server.admin(revoke("ci")))
        .await
        .unwrap();
    server.create_token(admin_token("ci")).await;
    server
        .sql("UPDATE auth.tokens SET expires_at = now() WHERE name = 'ci'")
        .await;
    assert_eq!(names(&server, false).await, ["local-admin"]);
    server.create_token(admin_token("ci")).await;
    assert_eq!(names(&server, false).await, ["ci", "local-admin"]);
}

#[tokio::test]
async fn invalid_requests_name_the_field() {
    let server = TestServer::start().await;
    let good = admin_token("ci");
    let past = Some(ck8s_rpc::convert::timestamp(
        time::OffsetDateTime::UNIX_EPOCH,
    ));
    let kind = |kind: pb::TokenKind, service: &str| pb::CreateTokenRequest {
        kind: kind.into(),
        service: service.into(),
        ..good.clone()
    };
    let bad = [
        ("name", admin_token("")),
        ("kind", kind(pb::TokenKind::Unspecified, "")),
        ("service", kind(pb::TokenKind::Service, "")),
        ("service", kind(pb::TokenKind::Worker, "runs")),
        (
            "expire_time",
            pb::CreateTokenRequest {
                expire_time: past,
                ..good.clone()
            },
        ),
        (
            "request_id",
            pb::CreateTokenRequest {
                request_id: "1".into(),
                ..good.clone()
            },
        ),
    ];
    for (field, request) in bad {
        let mut client = server.auth_client();
        let refused = client
            .create_token(server.admin(request))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{field}");
        assert!(refused.message().starts_with(field), "{refused:?}");
    }
}

#[tokio::test]
async fn tokens_are_listed_in_pages() {
    let server = TestServer::start().await;
    for n in 0..4 {
        server.create_token(admin_token(&format!("t{n}"))).await;
    }
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let list = pb::ListTokensRequest {
            page_size: 2,
            page_token,
            ..Default::default()
        };
        let listed = server.auth_client().list_tokens(server.admin(list)).await;
        let page = listed.unwrap().into_inner();
        assert!(page.tokens.len() <= 2);
        seen.extend(page.tokens.into_iter().map(|t| t.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["t3", "t2", "t1", "t0", "local-admin"]);
}

#[tokio::test]
async fn a_start_keeps_its_token_while_it_is_valid() {
    let server = TestServer::start().await;
    let bootstrap = server.auth.bootstrap();
    let first = bootstrap.ensure_worker_token("local", None).await.unwrap();
    let kept = bootstrap.ensure_worker_token("local", Some(&first)).await;
    assert_eq!(kept.unwrap(), first);
    let other = bootstrap.ensure_worker_token("local", Some("ck8s_wrk_x"));
    let other = other.await.unwrap();
    assert_ne!(other, first);
    assert!(server.who_am_i(&other).await.is_ok());
    assert!(server.who_am_i(&first).await.is_err());
}
