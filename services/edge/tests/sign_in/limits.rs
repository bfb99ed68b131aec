//! Clients that sign in too often are told when to come back: people, scripts, gRPC and gRPC-web.
use ck8s_edge::EdgeConfig;
use ck8s_proto::auth::v1::{
    RefreshSessionRequest, WhoAmIRequest, auth_service_client::AuthServiceClient,
};
use reqwest::Response;
use serde_json::Value;
use tonic::Code;
use tonic_types::StatusExt;

use crate::world::World;

/// Returns settings that allow one sign-in at once, and the next after twenty seconds.
fn strict() -> EdgeConfig {
    EdgeConfig {
        sign_in_rate: 3,
        ..EdgeConfig::default()
    }
}

fn waits(response: &Response) -> u64 {
    response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn people_and_scripts_are_told_when_to_come_back() {
    let world = World::with(strict()).await;
    assert_eq!(world.get("/auth/github/login").await.status(), 303);
    let page = world.get("/auth/github/login").await;
    assert_eq!(page.status(), 429);
    assert!((1..=20).contains(&waits(&page)), "{}", waits(&page));
    assert!(page.text().await.unwrap().contains("Too many sign-ins"));
    for path in ["/auth/refresh", "/auth/link", "/auth/sign-out"] {
        let limited = world.post(path).body("{}").send().await.unwrap();
        assert_eq!(limited.status(), 429, "{path}");
        assert!(waits(&limited) > 0);
        let body: Value = limited.json().await.unwrap();
        assert_eq!(body["code"], "RATE_LIMITED");
    }
    assert_eq!(
        world.get("/healthz").await.status(),
        200,
        "nothing else is limited"
    );
}

#[tokio::test]
async fn calls_without_a_token_are_limited_and_others_are_not() {
    let world = World::with(strict()).await;
    let mut client = AuthServiceClient::connect(world.url("")).await.unwrap();
    let refresh = || RefreshSessionRequest {
        refresh_token: "ck8s_ref_x".into(),
    };
    let unknown = client.refresh_session(refresh()).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unauthenticated);
    let limited = client.refresh_session(refresh()).await.unwrap_err();
    assert_eq!(limited.code(), Code::ResourceExhausted);
    let wait = limited
        .get_details_retry_info()
        .unwrap()
        .retry_delay
        .unwrap();
    assert!((1..=20).contains(&wait.as_secs()), "{wait:?}");
    let stranger = client.who_am_i(WhoAmIRequest {}).await.unwrap_err();
    assert_eq!(
        stranger.code(),
        Code::Unauthenticated,
        "a method that takes a token is not limited"
    );

    let path = world.url("/ck8s.auth.v1.AuthService/RefreshSession");
    let web = world
        .browser
        .post(path)
        .header("content-type", "application/grpc-web+proto");
    let web = web.body(vec![0, 0, 0, 0, 0]).send().await.unwrap();
    assert_eq!(web.status(), 200);
    let said = web
        .headers()
        .get("grpc-status")
        .map(|v| v.to_str().unwrap().to_owned());
    let trailer = String::from_utf8_lossy(&web.bytes().await.unwrap()).into_owned();
    let exhausted = (Code::ResourceExhausted as i32).to_string();
    assert!(
        said.as_ref() == Some(&exhausted) || trailer.contains(&format!("grpc-status:{exhausted}")),
        "{said:?} {trailer}"
    );
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_limit() {
    let world = World::with(EdgeConfig {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..strict()
    })
    .await;
    let from = async |address: &str| {
        let request = world.browser.get(world.url("/auth/github/login"));
        let request = request.header("x-forwarded-for", address);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(from("198.51.100.1").await, 303);
    assert_eq!(from("198.51.100.1").await, 429);
    assert_eq!(from("198.51.100.2").await, 303);
    // An address that the client itself claimed does not count.
    assert_eq!(from("203.0.113.7, 198.51.100.2").await, 429);

    let direct = World::with(strict()).await;
    let request = |address: &str| {
        let request = direct.browser.get(direct.url("/auth/github/login"));
        request.header("x-forwarded-for", address.to_owned()).send()
    };
    assert_eq!(request("198.51.100.1").await.unwrap().status(), 303);
    assert_eq!(request("198.51.100.2").await.unwrap().status(), 429);
}
