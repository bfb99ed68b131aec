//! Authentication: valid and invalid tokens, the mesh, streams of a revoked token, an outage of the database.
use std::time::Duration;

use ck8s_proto::auth::v1::{
    self as pb, auth_service_client::AuthServiceClient,
    projects_service_client::ProjectsServiceClient,
};
use tonic::{Code, Request, Status};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};
use tonic_types::StatusExt;

use crate::server::{TestServer, admin_token, until, with_bearer};

fn same(one: &Status, other: &Status) -> bool {
    (one.code(), one.message(), one.details()) == (other.code(), other.message(), other.details())
}

#[tokio::test]
async fn every_invalid_token_gets_the_same_answer() {
    let server = TestServer::start().await;
    let mut client = server.auth_client();
    let nobody = client.who_am_i(pb::WhoAmIRequest {}).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);

    let revoked = server.create_token(admin_token("revoked")).await.secret;
    let expired = server.create_token(admin_token("expired")).await.secret;
    assert!(server.who_am_i(&revoked).await.is_ok());
    assert!(server.who_am_i(&expired).await.is_ok());
    let revoke = pb::RevokeTokenRequest {
        token: "revoked".into(),
        ..Default::default()
    };
    client.revoke_token(server.admin(revoke)).await.unwrap();
    server
        .sql("UPDATE auth.tokens SET expires_at = now() WHERE name = 'expired'")
        .await;

    let unknown = format!("ck8s_adm_{}", "A".repeat(43));
    let long = format!("ck8s_adm_{}", "A".repeat(5000));
    for token in [
        &revoked, &expired, &unknown, &long, "x", "ck8s_", "ck8s_run",
    ] {
        until("refused", || async {
            server.who_am_i(token).await.is_err()
        })
        .await;
        let refused = server.who_am_i(token).await.unwrap_err();
        assert!(same(&refused, &nobody), "{refused:?}");
    }
    for header in ["", "Bearer", "Basic YTpi", "Bearer a b", &server.admin] {
        let mut request = Request::new(pb::WhoAmIRequest {});
        let value = header.parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        let refused = client.who_am_i(request).await.unwrap_err();
        assert!(same(&refused, &nobody), "{header}: {refused:?}");
    }
    assert!(server.who_am_i(&server.admin).await.is_ok());
}

#[tokio::test]
async fn each_kind_of_token_authenticates_its_own_kind_of_caller() {
    let server = TestServer::start().await;
    let token = |name: &str, kind: pb::TokenKind, service: &str| pb::CreateTokenRequest {
        name: name.into(),
        kind: kind.into(),
        service: service.into(),
        ..Default::default()
    };
    let worker = server.create_token(token("w", pb::TokenKind::Worker, ""));
    let worker = worker.await.secret;
    assert!(worker.starts_with("ck8s_wrk_") && worker.len() == 52);
    let who = server.who_am_i(&worker).await.unwrap();
    assert_eq!(who.caller(), ck8s_proto::policy::v1::Caller::Worker);
    assert_eq!(who.name, "w");
    let list = || pb::ListProjectsRequest::default();
    let mut projects = server.projects_client();
    let refused = projects.list_projects(with_bearer(&worker, list())).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);

    let runs = server.create_token(token("r", pb::TokenKind::Service, "runs"));
    let runs = runs.await.secret;
    assert!(runs.starts_with("ck8s_svc_"));
    let listed = projects.list_projects(with_bearer(&runs, list())).await;
    assert!(listed.is_ok());
    let refused = server.who_am_i(&runs).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_role_of_the_mesh_cannot_claim_to_be_another_caller() {
    let server = TestServer::start().await;
    let channel = server.mesh.channel("runs");
    let mut projects = ProjectsServiceClient::new(channel.clone());
    let listed = projects.list_projects(pb::ListProjectsRequest::default());
    assert!(listed.await.is_ok());
    let create = pb::CreateProjectRequest {
        slug: "demo".into(),
        ..Default::default()
    };
    let refused = projects.create_project(server.admin(create)).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let ask = pb::AuthenticateRequest {
        token: server.admin.clone(),
    };
    let mut stranger = AuthServiceClient::new(server.mesh.channel("learning"));
    let refused = stranger.authenticate(server.admin(ask.clone())).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let answer = AuthServiceClient::new(channel).authenticate(ask).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.kind(), pb::TokenKind::Admin);
    assert_eq!(answer.name, "local-admin");
}

#[tokio::test]
async fn a_revoked_token_ends_its_streams_within_two_seconds() {
    let server = TestServer::start().await;
    let token = server.create_token(admin_token("watcher")).await.secret;
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let (ask, asked) = tokio::sync::mpsc::channel(1);
    ask.send(list).await.unwrap();
    let asked = tokio_stream::wrappers::ReceiverStream::new(asked);
    let mut answers = ServerReflectionClient::new(server.channel.clone())
        .server_reflection_info(with_bearer(&token, asked))
        .await
        .unwrap()
        .into_inner();
    answers.message().await.unwrap().unwrap();
    let revoke = pb::RevokeTokenRequest {
        token: "watcher".into(),
        ..Default::default()
    };
    let mut client = server.auth_client();
    client.revoke_token(server.admin(revoke)).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(2), answers.message()).await;
    let ended = ended.expect("the stream outlived its token");
    assert_eq!(ended.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn without_a_database_callers_are_asked_to_retry() {
    let server = TestServer::start().await;
    server.pool.close().await;
    let refused = server.who_am_i(&server.admin).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.get_details_retry_info().is_some());
}
