//! Sign-in on a device: each state of RFC 8628, and what works only once.
use ck8s_proto::auth::v1 as pb;
use tonic::{Code, Status};

use crate::{
    github::Device,
    server::TestServer,
    sign_in::{reason, start},
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

/// The wait is over.
async fn wait(server: &TestServer) {
    server
        .sql("UPDATE auth.sign_ins SET next_poll_at = now()")
        .await;
}

#[tokio::test]
async fn a_device_waits_until_the_person_has_confirmed() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let started = begin(&server).await;
    assert_eq!(started.user_code, "WDJB-MJHT");
    assert_eq!(started.interval, 5);
    assert!(
        started.device_code.starts_with("ck8s_dev_"),
        "ours, not the provider's"
    );
    let code = &started.device_code;

    // Before its turn: it waits longer, and the provider is not asked.
    server
        .sql("UPDATE auth.sign_ins SET next_poll_at = now() + interval '1 hour'")
        .await;
    let early = poll(&server, code).await.unwrap();
    assert!(early.session.is_none());
    assert_eq!((early.interval, github.person().polls), (10, 0));
    wait(&server).await;
    let pending = poll(&server, code).await.unwrap();
    assert_eq!((pending.interval, github.person().polls), (10, 1));
    github.person().device = Device::SlowDown;
    wait(&server).await;
    let slower = poll(&server, code).await.unwrap();
    assert_eq!((slower.interval, github.person().polls), (15, 2));

    github.person().device = Device::Confirmed;
    wait(&server).await;
    let session = poll(&server, code).await.unwrap().session.unwrap();
    assert!(session.refresh_token.starts_with("ck8s_ref_"));
    assert_eq!(server.text("SELECT via FROM auth.sessions").await, "device");
    let again = poll(&server, code).await.unwrap_err();
    assert_eq!(again.code(), Code::InvalidArgument);
    assert_eq!(reason(&again), "DEVICE_CODE_REFUSED");
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_gets_the_session() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let started = begin(&server).await;
    github.person().device = Device::Confirmed;
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
async fn who_refuses_waits_too_long_or_is_not_allowed_gets_nothing() {
    let (server, github) = start().await;
    for (device, code, why) in [
        (Device::Denied, Code::PermissionDenied, "ACCESS_DENIED"),
        (
            Device::Expired,
            Code::InvalidArgument,
            "DEVICE_CODE_REFUSED",
        ),
        (Device::Confirmed, Code::PermissionDenied, "NOT_ALLOWED"),
    ] {
        let started = begin(&server).await;
        github.person().device = device;
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
async fn a_provider_that_is_away_is_asked_again_later() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let started = begin(&server).await;
    github.person().down = true;
    wait(&server).await;
    let away = poll(&server, &started.device_code).await.unwrap_err();
    assert_eq!(away.code(), Code::Unavailable);
    let mut client = server.auth_client();
    let away = client
        .start_device_sign_in(pb::StartDeviceSignInRequest {})
        .await;
    assert_eq!(away.unwrap_err().code(), Code::Unavailable);
    {
        let mut person = github.person();
        (person.down, person.device) = (false, Device::Confirmed);
    }
    wait(&server).await;
    assert!(
        poll(&server, &started.device_code)
            .await
            .unwrap()
            .session
            .is_some()
    );
}
