//! Sign-in in the browser: who gets in, who does not and learns why, and what works only once.
use ck8s_proto::auth::v1::{self as pb, auth_service_client::AuthServiceClient};
use ck8s_rpc::mesh::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    github::{CLIENT_SECRET, GitHub},
    server::TestServer,
};

/// A server whose people are known to a GitHub where Ada sits.
pub async fn start() -> (TestServer, GitHub) {
    let github = GitHub::start(583_231, "ada", "ada@example.com").await;
    let config = github.config();
    let server = TestServer::start_known_to(config).await;
    (server, github)
}

pub fn edge(server: &TestServer) -> AuthServiceClient<Channel> {
    AuthServiceClient::new(server.mesh.channel("edge"))
}

async fn begin(server: &TestServer, return_to: &str) -> pb::StartSignInResponse {
    let request = pb::StartSignInRequest {
        return_to: return_to.to_owned(),
    };
    edge(server)
        .start_sign_in(request)
        .await
        .unwrap()
        .into_inner()
}

async fn finish(
    server: &TestServer,
    request: pb::FinishSignInRequest,
) -> Result<pb::FinishSignInResponse, Status> {
    Ok(edge(server).finish_sign_in(request).await?.into_inner())
}

/// All of it, as a browser does it.
pub async fn sign_in(
    server: &TestServer,
    github: &GitHub,
) -> Result<pb::FinishSignInResponse, Status> {
    let started = begin(server, "/projects").await;
    let (code, state) = github.consent(&started.authorize_url).await;
    let request = pb::FinishSignInRequest {
        code,
        state,
        browser_secret: started.browser_secret,
        error: String::new(),
    };
    finish(server, request).await
}

pub fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}

async fn authenticate(
    server: &TestServer,
    token: &str,
) -> Result<pb::AuthenticateResponse, Status> {
    let request = pb::AuthenticateRequest {
        token: token.to_owned(),
    };
    Ok(edge(server).authenticate(request).await?.into_inner())
}

#[tokio::test]
async fn who_is_allowed_gets_a_session_and_is_pinned() {
    let (server, github) = start().await;
    // In another case, and not the only address.
    server.allow("ADA@Example.COM").await;
    github
        .person()
        .emails
        .insert(0, ("other@example.com".into(), true));
    let signed_in = sign_in(&server, &github).await.unwrap();
    assert_eq!(signed_in.return_to, "/projects");
    let session = signed_in.session.unwrap();
    assert!(session.refresh_token.starts_with("ck8s_ref_"));
    let who = authenticate(&server, &session.access_token).await.unwrap();
    assert_eq!(who.kind(), pb::TokenKind::Person);
    assert_eq!((who.name.as_str(), &who.session_id), ("ada", &session.id));
    let person = who.person.unwrap();
    assert!(!person.platform_admin && person.memberships.is_empty());
    assert_eq!(
        server
            .text("SELECT external_id FROM auth.users WHERE login = 'ada'")
            .await,
        "583231"
    );

    // From here on the id says who she is: another login, another address.
    {
        let mut person = github.person();
        person.login = "lovelace".into();
        person.emails = vec![("new@example.com".into(), true)];
    }
    let again = sign_in(&server, &github).await.unwrap().session.unwrap();
    let who = authenticate(&server, &again.access_token).await.unwrap();
    assert_eq!(who.person.unwrap().user_id, person.user_id);
    assert_eq!(who.name, "lovelace");
    assert_eq!(server.events("sign_in.succeeded").await, 2);
    assert_eq!(server.events("sign_in.refused").await, 0);
}

#[tokio::test]
async fn who_is_not_allowed_learns_why_and_nothing_else() {
    let (server, github) = start().await;
    let refused = sign_in(&server, &github).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(reason(&refused), "NOT_ALLOWED");

    server.allow("ada@example.com").await;
    github.person().emails[0].1 = false;
    let refused = sign_in(&server, &github).await.unwrap_err();
    assert_eq!(reason(&refused), "ADDRESS_NOT_VERIFIED");
    // Whether the address is allowed makes no difference to who cannot show that it is theirs.
    github.person().emails[0].0 = "unknown@example.com".into();
    let same = sign_in(&server, &github).await.unwrap_err();
    assert_eq!(same.message(), refused.message());

    github.person().emails[0] = ("ada@example.com".into(), true);
    sign_in(&server, &github).await.unwrap();
    {
        let mut person = github.person();
        (person.id, person.login) = (4, "mallory".into());
    }
    let refused = sign_in(&server, &github).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(reason(&refused), "OTHER_IDENTITY");

    assert_eq!(server.events("sign_in.refused").await, 4);
    let told = "SELECT string_agg(actor || message || data::text, ' ') FROM audit.flow_events WHERE kind = 'sign_in.refused'";
    let told = server.text(told).await;
    assert!(
        told.contains("mallory") && !told.contains("example.com"),
        "{told}"
    );
    assert_eq!(
        server
            .text("SELECT count(*)::text FROM auth.sessions")
            .await,
        "1"
    );
}

#[tokio::test]
async fn nobody_is_the_local_admin_by_an_address() {
    let (server, github) = start().await;
    github.person().emails = vec![("admin@localhost".into(), true)];
    let refused = sign_in(&server, &github).await.unwrap_err();
    assert_eq!(reason(&refused), "NOT_ALLOWED");
}

#[tokio::test]
async fn a_state_works_once_in_its_browser_and_in_its_time() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let started = begin(&server, "").await;
    let (code, state) = github.consent(&started.authorize_url).await;
    let good = pb::FinishSignInRequest {
        code,
        state,
        browser_secret: started.browser_secret.clone(),
        error: String::new(),
    };
    let other = begin(&server, "").await;
    for (what, request) in [
        (
            "another browser",
            pb::FinishSignInRequest {
                browser_secret: other.browser_secret,
                ..good.clone()
            },
        ),
        (
            "no browser",
            pb::FinishSignInRequest {
                browser_secret: String::new(),
                ..good.clone()
            },
        ),
        (
            "made up",
            pb::FinishSignInRequest {
                state: "x".into(),
                ..good.clone()
            },
        ),
        (
            "none",
            pb::FinishSignInRequest {
                state: String::new(),
                ..good.clone()
            },
        ),
    ] {
        let refused = finish(&server, request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{what}");
        assert_eq!(reason(&refused), "STATE_REFUSED", "{what}");
    }
    assert!(finish(&server, good.clone()).await.is_ok());
    let replayed = finish(&server, good.clone()).await.unwrap_err();
    assert_eq!(reason(&replayed), "STATE_REFUSED");

    // A code that was used, with a fresh state of the same browser.
    let third = begin(&server, "").await;
    let (_, state) = github.consent(&third.authorize_url).await;
    let request = pb::FinishSignInRequest {
        state,
        browser_secret: third.browser_secret,
        ..good.clone()
    };
    let replayed = finish(&server, request).await.unwrap_err();
    assert_eq!(reason(&replayed), "CODE_REFUSED");

    let late = begin(&server, "").await;
    let (code, state) = github.consent(&late.authorize_url).await;
    server
        .sql("UPDATE auth.sign_ins SET expires_at = now()")
        .await;
    let request = pb::FinishSignInRequest {
        code,
        state,
        browser_secret: late.browser_secret,
        error: String::new(),
    };
    assert_eq!(
        reason(&finish(&server, request).await.unwrap_err()),
        "STATE_REFUSED"
    );
    assert_eq!(
        server
            .text("SELECT count(*)::text FROM auth.sessions")
            .await,
        "1"
    );
}

#[tokio::test]
async fn a_code_of_somebody_elses_sign_in_has_another_verifier() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let (one, other) = (begin(&server, "").await, begin(&server, "").await);
    let (stolen, _) = github.consent(&one.authorize_url).await;
    let (_, state) = github.consent(&other.authorize_url).await;
    let request = pb::FinishSignInRequest {
        code: stolen,
        state,
        browser_secret: other.browser_secret,
        error: String::new(),
    };
    assert_eq!(
        reason(&finish(&server, request).await.unwrap_err()),
        "CODE_REFUSED"
    );
}

#[tokio::test]
async fn what_goes_wrong_at_the_provider_is_said() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let started = begin(&server, "").await;
    let (_, state) = github.consent(&started.authorize_url).await;
    let request = pb::FinishSignInRequest {
        state,
        browser_secret: started.browser_secret,
        error: "access_denied".into(),
        ..Default::default()
    };
    let refused = finish(&server, request).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::PermissionDenied, "ACCESS_DENIED")
    );
    assert_eq!(server.events("sign_in.refused").await, 1);

    let started = begin(&server, "").await;
    let (code, state) = github.consent(&started.authorize_url).await;
    github.person().down = true;
    let request = pb::FinishSignInRequest {
        code,
        state,
        browser_secret: started.browser_secret,
        error: String::new(),
    };
    let away = finish(&server, request).await.unwrap_err();
    assert_eq!(away.code(), Code::Unavailable);
    assert!(
        away.message().contains("identity provider"),
        "{}",
        away.message()
    );
}

#[tokio::test]
async fn without_a_provider_and_for_strangers_there_is_no_sign_in() {
    let server = TestServer::start().await;
    let off = edge(&server)
        .start_sign_in(pb::StartSignInRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        (off.code(), reason(&off).as_str()),
        (Code::FailedPrecondition, "SIGN_IN_OFF")
    );
    let mut stranger = server.auth_client();
    let refused = stranger
        .start_sign_in(pb::StartSignInRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let (server, _github) = start().await;
    let request = pb::StartSignInRequest {
        return_to: "//evil.example".into(),
    };
    let refused = edge(&server).start_sign_in(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn no_secret_lies_in_the_database() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let open = begin(&server, "").await;
    let session = sign_in(&server, &github).await.unwrap().session.unwrap();
    let dump = server.text(
        "SELECT string_agg(t, ' ') FROM (
             SELECT s::text AS t FROM auth.sign_ins s UNION ALL SELECT r::text FROM auth.refresh_tokens r UNION ALL
             SELECT s::text FROM auth.sessions s UNION ALL SELECT k::text FROM auth.signing_keys k UNION ALL
             SELECT u::text FROM auth.users u UNION ALL SELECT e::text FROM audit.flow_events e) AS everything",
    );
    let dump = dump.await;
    assert!(dump.contains(&session.id), "the dump is of this server");
    let state = reqwest::Url::parse(&open.authorize_url).unwrap();
    let state = state
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    for secret in [
        &session.access_token,
        &session.refresh_token,
        &open.browser_secret,
        &state,
    ] {
        assert!(!dump.contains(secret.as_str()));
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        assert!(!dump.contains(&hex));
    }
    assert!(!dump.contains("gho_") && !dump.contains(CLIENT_SECRET));
}
