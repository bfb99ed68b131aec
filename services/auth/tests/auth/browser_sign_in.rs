//! Sign-in in the browser: who gets in, who is refused for which reason, and what works only once.
use ck8s_proto::auth::v1::{self as pb, auth_service_client::AuthServiceClient};
use ck8s_rpc::mesh::Channel;
use ck8s_tests::{Account, Fault, GitHub, GitHubWorld};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::server::{PUBLIC_URL, TestServer};

/// Starts a server and a fake GitHub, where Ada is signed in.
pub(crate) async fn start() -> (TestServer, GitHub) {
    let ada = Account::new(583_231, "ada", "ada@example.com");
    let callback = format!("{PUBLIC_URL}/auth/github/callback");
    let github = GitHub::start(GitHubWorld::new(&callback).with(ada)).await;
    let server = TestServer::start_with_provider(&github).await;
    (server, github)
}

/// Changes the account of the person who signs in.
pub(crate) fn set_account(github: &GitHub, account: Account) {
    let mut world = github.world();
    world.sign_in(&account.login);
    world.people[0] = account;
}

pub(crate) fn edge(server: &TestServer) -> AuthServiceClient<Channel> {
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

/// Signs in as a browser does.
pub(crate) async fn sign_in(
    server: &TestServer,
    github: &GitHub,
) -> Result<pb::FinishSignInResponse, Status> {
    let started = begin(server, "/projects").await;
    let (code, state) = github.authorize(&started.authorize_url).await;
    let request = pb::FinishSignInRequest {
        code,
        state,
        browser_secret: started.browser_secret,
        error: String::new(),
    };
    finish(server, request).await
}

pub(crate) fn reason(status: &Status) -> String {
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
async fn an_allowed_person_gets_a_session_and_their_identity_is_pinned() {
    let (server, github) = start().await;
    // In another case, and not the only address.
    server.allow("ADA@Example.COM").await;
    let ada = Account::new(583_231, "ada", "other@example.com");
    set_account(&github, ada.and("ada@example.com", true));
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

    // From here on the id identifies her: neither her login nor her address does.
    set_account(
        &github,
        Account::new(583_231, "lovelace", "new@example.com"),
    );
    let again = sign_in(&server, &github).await.unwrap().session.unwrap();
    let who = authenticate(&server, &again.access_token).await.unwrap();
    assert_eq!(who.person.unwrap().user_id, person.user_id);
    assert_eq!(who.name, "lovelace");
    assert_eq!(server.events("sign_in.succeeded").await, 2);
    assert_eq!(server.events("sign_in.refused").await, 0);
}

#[tokio::test]
async fn a_refused_person_learns_the_reason_and_nothing_else() {
    let (server, github) = start().await;
    let refused = sign_in(&server, &github).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(reason(&refused), "NOT_ALLOWED");

    server.allow("ada@example.com").await;
    let ada = Account::new(583_231, "ada", "ada@example.com");
    set_account(&github, ada.clone().unverified());
    let refused = sign_in(&server, &github).await.unwrap_err();
    assert_eq!(reason(&refused), "ADDRESS_NOT_VERIFIED");
    // Somebody who cannot prove an address does not learn whether it is on the allow-list.
    let unknown = Account::new(583_231, "ada", "unknown@example.com");
    set_account(&github, unknown.unverified());
    let same = sign_in(&server, &github).await.unwrap_err();
    assert_eq!(same.message(), refused.message());

    set_account(&github, ada);
    sign_in(&server, &github).await.unwrap();
    set_account(&github, Account::new(4, "mallory", "ada@example.com"));
    let refused = sign_in(&server, &github).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(reason(&refused), "OTHER_IDENTITY");

    assert_eq!(server.events("sign_in.refused").await, 4);
    let recorded = "SELECT string_agg(actor || message || data::text, ' ') FROM audit.flow_events WHERE kind = 'sign_in.refused'";
    let recorded = server.text(recorded).await;
    assert!(
        recorded.contains("mallory") && !recorded.contains("example.com"),
        "{recorded}"
    );
    assert_eq!(
        server
            .text("SELECT count(*)::text FROM auth.sessions")
            .await,
        "1"
    );
}

#[tokio::test]
async fn no_address_makes_anybody_the_local_admin() {
    let (server, github) = start().await;
    set_account(&github, Account::new(583_231, "ada", "admin@localhost"));
    let refused = sign_in(&server, &github).await.unwrap_err();
    assert_eq!(reason(&refused), "NOT_ALLOWED");
}

#[tokio::test]
async fn a_state_works_once_in_its_own_browser_and_before_it_expires() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let started = begin(&server, "").await;
    let (code, state) = github.authorize(&started.authorize_url).await;
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
    let (_, state) = github.authorize(&third.authorize_url).await;
    let request = pb::FinishSignInRequest {
        state,
        browser_secret: third.browser_secret,
        ..good.clone()
    };
    let replayed = finish(&server, request).await.unwrap_err();
    assert_eq!(reason(&replayed), "CODE_REFUSED");

    let late = begin(&server, "").await;
    let (code, state) = github.authorize(&late.authorize_url).await;
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
async fn the_code_of_another_sign_in_is_refused() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let (one, other) = (begin(&server, "").await, begin(&server, "").await);
    let (stolen, _) = github.authorize(&one.authorize_url).await;
    let (_, state) = github.authorize(&other.authorize_url).await;
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
async fn a_decline_and_an_outage_of_the_provider_are_reported() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let started = begin(&server, "").await;
    let (_, state) = github.authorize(&started.authorize_url).await;
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
    let (code, state) = github.authorize(&started.authorize_url).await;
    github.world().switch_on("", Fault::Status(502), 3);
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
async fn what_the_provider_refuses_is_told_as_what_it_is() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    for (error, code, why, words) in [
        (
            "redirect_uri_mismatch",
            Code::FailedPrecondition,
            "SIGN_IN_MISCONFIGURED",
            "redirect_uri_mismatch",
        ),
        (
            "unverified_user_email",
            Code::PermissionDenied,
            "ADDRESS_NOT_VERIFIED",
            "verify it",
        ),
        (
            "temporarily_unavailable",
            Code::Unavailable,
            "UNAVAILABLE",
            "identity provider",
        ),
    ] {
        let started = begin(&server, "").await;
        let (_, state) = github.authorize(&started.authorize_url).await;
        let request = pb::FinishSignInRequest {
            state,
            browser_secret: started.browser_secret,
            error: error.into(),
            ..Default::default()
        };
        let refused = finish(&server, request).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (code, why));
        assert!(refused.message().contains(words), "{}", refused.message());
    }
    // The provider repeats our token in its words: they are not shown.
    for (path, fault, why, words) in [
        ("/user", Fault::Echo(401), "PROVIDER_REFUSED", "status 401"),
        (
            "/user/emails",
            Fault::Status(403),
            "PROVIDER_REFUSED",
            "addresses",
        ),
        (
            "/user",
            Fault::Secondary(429, Some(7)),
            "RATE_LIMITED",
            "7 s",
        ),
        (
            "/user",
            Fault::Spent(std::time::Duration::from_secs(90)),
            "RATE_LIMITED",
            "come back",
        ),
    ] {
        github.world().switch_on(path, fault, 1);
        let refused = sign_in(&server, &github).await.unwrap_err();
        assert_eq!(reason(&refused), why, "{path} {fault:?}: {refused:?}");
        assert!(refused.message().contains(words), "{}", refused.message());
        for (what, secret) in github.world().secrets() {
            assert!(!refused.message().contains(&secret), "{what}");
        }
    }
    assert!(sign_in(&server, &github).await.is_ok());
}

#[tokio::test]
async fn an_address_behind_a_hundred_others_counts() {
    let (server, github) = start().await;
    server.allow("last@example.com").await;
    let many = (0..240).fold(
        Account::new(583_231, "ada", "ada@example.com"),
        |account, n| account.and(&format!("a{n}@example.com"), true),
    );
    set_account(&github, many.and("last@example.com", true));
    sign_in(&server, &github).await.unwrap();
    let world = github.world();
    let pages = world.calls.iter();
    let pages = pages.filter(|call| call.path.ends_with("/user/emails"));
    assert_eq!(pages.count(), 3);
}

#[tokio::test]
async fn sign_in_needs_a_provider_and_the_edge() {
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
async fn the_database_contains_no_secret() {
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
    let secrets = github.world().secrets();
    assert!(secrets.len() > 2, "the secret of the app, a code, a token");
    for (what, secret) in secrets {
        assert!(!dump.contains(&secret), "{what}");
    }
}
