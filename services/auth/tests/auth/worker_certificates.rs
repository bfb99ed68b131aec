//! Certificates of workers: a join token works once, before it expires, and for nothing else.
use std::time::Duration;

use ck8s_auth::CertificateConfig;
use ck8s_pki::{Authority, Bundle, Certificates, Identity, Issued, Request};
use ck8s_proto::auth::v1 as pb;
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::server::{TestServer, with_bearer};

async fn start_with_authority() -> (TestServer, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    assert!(Authority::ensure(dir.path()).unwrap());
    assert!(!Authority::ensure(dir.path()).unwrap(), "it is kept");
    let certificates = CertificateConfig {
        authority_dir: dir.path().to_owned(),
        ttl: Duration::from_secs(3600),
    };
    let server = TestServer::start_with(|config| config.certificates = Some(certificates)).await;
    (server, dir)
}

async fn token(server: &TestServer, name: &str) -> String {
    let request = pb::CreateTokenRequest {
        name: name.to_owned(),
        kind: pb::TokenKind::Join.into(),
        ..Default::default()
    };
    let made = server.create_token(request).await;
    assert!(
        made.secret.starts_with("ck8s_join_"),
        "the prefix tells its kind"
    );
    let ends = made.token.unwrap().expire_time;
    assert!(ends.is_some(), "a join token ends by itself");
    made.secret
}

async fn join(
    server: &TestServer,
    token: &str,
    worker: &str,
    csr: &str,
) -> Result<pb::JoinWorkerResponse, Status> {
    let request = pb::JoinWorkerRequest {
        token: token.to_owned(),
        worker_id: worker.to_owned(),
        certificate_request: csr.to_owned(),
    };
    let joined = server.auth_client().join_worker(request).await?;
    Ok(joined.into_inner())
}

#[tokio::test]
async fn of_concurrent_joins_with_one_token_one_gets_a_certificate() {
    let (server, _dir) = start_with_authority().await;
    let token = token(&server, "node-1").await;
    let requests: Vec<Request> = (0..6).map(|_| Request::new().unwrap()).collect();
    let tries = requests
        .iter()
        .map(|r| join(&server, &token, "node-1", &r.csr));
    let answers = futures::future::join_all(tries).await;
    let good: Vec<usize> = (0..6).filter(|&i| answers[i].is_ok()).collect();
    assert_eq!(good.len(), 1);
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(refused.code(), Code::Unauthenticated);
        let reason = refused.get_details_error_info().unwrap().reason;
        assert_eq!(reason, "JOIN_REFUSED");
    }
    assert_eq!(server.events("worker.joined").await, 1);

    let answer = answers[good[0]].as_ref().unwrap();
    let issued = Issued {
        certificate: answer.certificate.clone(),
        authority: answer.authority.clone(),
        until: std::time::SystemTime::now(),
    };
    let request = requests.into_iter().nth(good[0]).unwrap();
    let bundle: Bundle = request.bundle(&issued);
    let dir = tempfile::tempdir().unwrap();
    bundle.write(dir.path()).unwrap();
    let certificates = Certificates::open(dir.path()).unwrap();
    let worker = Identity::Worker("node-1".parse().unwrap());
    assert_eq!(certificates.identity(), worker);
}

#[tokio::test]
async fn a_request_that_cannot_be_signed_leaves_the_token_valid() {
    let (server, _dir) = start_with_authority().await;
    let token = token(&server, "node-1").await;
    let csr = Request::new().unwrap().csr;
    let bad = join(&server, &token, "node-1", "nonsense")
        .await
        .unwrap_err();
    assert_eq!(bad.code(), Code::InvalidArgument);
    let bad = join(&server, &token, "no de", &csr).await.unwrap_err();
    assert_eq!(bad.code(), Code::InvalidArgument);
    join(&server, &token, "node-1", &csr).await.unwrap();
}

#[tokio::test]
async fn a_join_token_authenticates_nobody_and_no_other_token_joins() {
    let (server, _dir) = start_with_authority().await;
    let token = token(&server, "node-1").await;
    let nobody = server.who_am_i(&token).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    let csr = Request::new().unwrap().csr;
    for other in ["", "x", &server.admin] {
        let refused = join(&server, other, "node-1", &csr).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{other}");
    }
    server
        .sql("UPDATE auth.tokens SET expires_at = now() WHERE kind = 'join'")
        .await;
    let late = join(&server, &token, "node-1", &csr).await.unwrap_err();
    assert_eq!(late.code(), Code::Unauthenticated);
    assert_eq!(server.events("worker.joined").await, 0);
}

#[tokio::test]
async fn joining_needs_an_authority_and_renewing_needs_a_certificate() {
    let server = TestServer::start().await;
    let token = token(&server, "node-1").await;
    let csr = Request::new().unwrap().csr;
    let off = join(&server, &token, "node-1", &csr).await.unwrap_err();
    assert_eq!(off.code(), Code::FailedPrecondition);
    assert_eq!(off.get_details_error_info().unwrap().reason, "JOINING_OFF");

    let (server, _dir) = start_with_authority().await;
    let made = pb::CreateTokenRequest {
        name: "node-1".to_owned(),
        kind: pb::TokenKind::Worker.into(),
        ..Default::default()
    };
    let worker = server.create_token(made).await.secret;
    let renew = pb::RenewWorkerCertificateRequest {
        certificate_request: csr,
    };
    let asked = with_bearer(&worker, renew);
    let refused = server.auth_client().renew_worker_certificate(asked).await;
    let reason = refused
        .unwrap_err()
        .get_details_error_info()
        .unwrap()
        .reason;
    assert_eq!(reason, "NO_CERTIFICATE");
}
