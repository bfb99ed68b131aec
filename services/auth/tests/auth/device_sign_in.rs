//! Sign-in on a device: every state of RFC 8628, and what works only once.
use ck8s_proto::auth::v1 as pb;
use std::time::Duration;

use ck8s_tests::{Fault, GitHub};
use tonic::{Code, Status};

use crate::{
    browser_sign_in::{reason, start},
    server::TestServer,
};

async fn begin(server: &TestServer) -> pb::StartDeviceSignInResponse {
    let request = pb::StartDeviceSignInRequest {};
    let mut client = server.auth_client();
    client
        .start_device_sign_in(request)
        .await
        .unwrap()
        .into_inner()
}

async fn poll(server: &TestServer, code: &str) -> Result<pb::PollDeviceSignInResponse, Status> {
    let request = pb::PollDeviceSignInRequest {
        device_code: code.to_owned(),
    };
    let mut client = server.auth_client();
    Ok(client.poll_device_sign_in(request).await?.into_inner())
}

/// Counts how often GitHub was asked about a device.
fn polls(github: &GitHub) -> usize {
    let world = github.world();
    let calls = world.calls.iter();
    calls
        .filter(|call| call.path == "/login/oauth/access_token")
        .count()
}

/// Ada authorizes a device, or declines.
fn decide(github: &GitHub, started: &pb::StartDeviceSignInResponse, yes: bool) {
    let mut world = github.world();
    assert!(world.decide_device(&started.user_code, "ada", yes));
}

/// Ends the interval between two polls.
async fn wait(server: &TestServer) {
    server
        .sql("UPDATE auth.sign_ins SET next_poll_at = now()")
        .await;
}

#[tokio::test]
async fn a_device_waits_until_the_person_confirms() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let started = begin(&server).await;
    assert_eq!(started.user_code.len(), "WDJB-MJHT".len());
    assert_eq!(started.interval, 5);
    assert!(
        started.device_code.starts_with("ck8s_dev_"),
        "ours, not the provider's"
    );
    let code = &started.device_code;

    // A poll before its turn lengthens the interval, and the provider is not asked.
    server
        .sql("UPDATE auth.sign_ins SET next_poll_at = now() + interval '1 hour'")
        .await;
    let early = poll(&server, code).await.unwrap();
    assert!(early.session.is_none());
    assert_eq!((early.interval, polls(&github)), (10, 0));
    wait(&server).await;
    let pending = poll(&server, code).await.unwrap();
    assert_eq!((pending.interval, polls(&github)), (10, 1));
    // GitHub's own clock has not moved on, so it asks for fewer polls.
    wait(&server).await;
    let slower = poll(&server, code).await.unwrap();
    assert_eq!((slower.interval, polls(&github)), (15, 2));

    decide(&github, &started, true);
    github.world().advance(Duration::from_secs(60));
    wait(&server).await;
    let session = poll(&server, code).await.unwrap().session.unwrap();
    assert!(session.refresh_token.starts_with("ck8s_ref_"));
    assert_eq!(server.text("SELECT via FROM auth.sessions").await, "device");
    let again = poll(&server, code).await.unwrap_err();
    assert_eq!(again.code(), Code::InvalidArgument);
    assert_eq!(reason(&again), "DEVICE_CODE_REFUSED");
}

#[tokio::test]
async fn of_concurrent_polls_one_gets_the_session() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let started = begin(&server).await;
    decide(&github, &started, true);
    wait(&server).await;
    let polls = (0..6).map(|_| poll(&server, &started.device_code));
    let answers = futures::future::join_all(polls).await;
    let sessions = answers
        .iter()
        .flatten()
        .filter(|answer| answer.session.is_some());
    assert_eq!(sessions.count(), 1);
    assert_eq!(
        server
            .text("SELECT count(*)::text FROM auth.sessions")
            .await,
        "1"
    );
}

#[tokio::test]
async fn a_declined_expired_or_not_allowed_sign_in_gets_no_session() {
    let (server, github) = start().await;
    for (decision, code, why) in [
        (Some(false), Code::PermissionDenied, "ACCESS_DENIED"),
        (None, Code::InvalidArgument, "DEVICE_CODE_REFUSED"),
        (Some(true), Code::PermissionDenied, "NOT_ALLOWED"),
    ] {
        let started = begin(&server).await;
        match decision {
            Some(yes) => decide(&github, &started, yes),
            // The person takes too long.
            None => github.world().advance(Duration::from_secs(3600)),
        }
        wait(&server).await;
        let refused = poll(&server, &started.device_code).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (code, why));
        let over = poll(&server, &started.device_code).await.unwrap_err();
        assert_eq!(reason(&over), "DEVICE_CODE_REFUSED");
    }
    assert_eq!(server.events("sign_in.refused").await, 2);

    let started = begin(&server).await;
    server
        .sql("UPDATE auth.sign_ins SET expires_at = now()")
        .await;
    for code in [started.device_code.as_str(), "ck8s_dev_x", ""] {
        assert_eq!(
            reason(&poll(&server, code).await.unwrap_err()),
            "DEVICE_CODE_REFUSED"
        );
    }
}

#[tokio::test]
async fn an_outage_of_the_provider_can_be_retried() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let started = begin(&server).await;
    // Each request is made three times.
    github.world().switch_on("", Fault::Status(502), 6);
    wait(&server).await;
    let away = poll(&server, &started.device_code).await.unwrap_err();
    assert_eq!(away.code(), Code::Unavailable);
    let mut client = server.auth_client();
    let away = client
        .start_device_sign_in(pb::StartDeviceSignInRequest {})
        .await;
    assert_eq!(away.unwrap_err().code(), Code::Unavailable);
    decide(&github, &started, true);
    wait(&server).await;
    assert!(
        poll(&server, &started.device_code)
            .await
            .unwrap()
            .session
            .is_some()
    );
}

#[tokio::test]
async fn one_failure_of_the_provider_after_the_confirmation_is_asked_again() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    for path in ["/user", "/user/emails", "/login/oauth/access_token"] {
        let started = begin(&server).await;
        decide(&github, &started, true);
        github.world().switch_on(path, Fault::Status(502), 1);
        wait(&server).await;
        let polled = poll(&server, &started.device_code).await.unwrap();
        assert!(polled.session.is_some(), "{path}");
    }
}

#[tokio::test]
async fn a_failure_after_the_confirmation_is_named_and_ends_the_sign_in() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let three_times = |fault| (fault, 3);
    for ((fault, times), code, why, words) in [
        (
            three_times(Fault::Status(502)),
            Code::Aborted,
            "SIGN_IN_INTERRUPTED",
            "did not answer",
        ),
        (
            (Fault::Secondary(429, Some(7)), 1),
            Code::Aborted,
            "SIGN_IN_INTERRUPTED",
            "limited",
        ),
        (
            (Fault::Status(403), 1),
            Code::FailedPrecondition,
            "PROVIDER_REFUSED",
            "the account's addresses with status 403",
        ),
    ] {
        let started = begin(&server).await;
        decide(&github, &started, true);
        github.world().switch_on("/user/emails", fault, times);
        wait(&server).await;
        let failed = poll(&server, &started.device_code).await.unwrap_err();
        assert_eq!((failed.code(), reason(&failed).as_str()), (code, why));
        assert!(failed.message().contains("identity provider"));
        assert!(failed.message().contains(words), "{}", failed.message());
        let over = poll(&server, &started.device_code).await.unwrap_err();
        assert_eq!(reason(&over), "DEVICE_CODE_REFUSED");
    }
}
