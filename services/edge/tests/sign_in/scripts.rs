//! The endpoints that the console's script calls: refresh, sign-out, links, and the public keys.
use ck8s_proto::auth::v1::{AuthenticateRequest, auth_service_server::AuthService};
use reqwest::Response;
use serde_json::Value;

use crate::world::{World, set_cookie};

async fn json(response: Response, status: u16) -> Value {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["content-type"], "application/json");
    response.json().await.unwrap()
}

async fn lives(world: &World, token: &str) -> bool {
    let request = AuthenticateRequest {
        token: token.to_owned(),
    };
    world
        .auth
        .authenticate(tonic::Request::new(request))
        .await
        .is_ok()
}

#[tokio::test]
async fn each_refresh_replaces_the_cookie_until_the_session_ends() {
    let world = World::start().await;
    world.allow("ada@example.com").await;
    let first = set_cookie(&world.sign_in("/").await, "ck8s_refresh")
        .unwrap()
        .value;

    let refreshed = world.post_with("/auth/refresh", &first).await;
    assert_eq!(refreshed.headers()["cache-control"], "no-store");
    let second = set_cookie(&refreshed, "ck8s_refresh").unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Secure"] {
        assert!(second.attributes.contains(attribute), "{attribute}");
    }
    assert_ne!(second.value, first);
    let body = json(refreshed, 200).await;
    assert!(
        body["expire_time"].as_str().unwrap().ends_with('Z'),
        "{body}"
    );
    assert_eq!(
        body.as_object().unwrap().len(),
        2,
        "the refresh token is no script's: {body}"
    );
    let access = body["access_token"].as_str().unwrap().to_owned();
    assert!(lives(&world, &access).await);

    let ended = world.post_with("/auth/sign-out", &second.value).await;
    assert_eq!(ended.status(), 204);
    assert_eq!(set_cookie(&ended, "ck8s_refresh").unwrap().value, "");
    assert!(!lives(&world, &access).await);
    let over = world.post_with("/auth/refresh", &second.value).await;
    assert_eq!(
        set_cookie(&over, "ck8s_refresh").unwrap().value,
        "",
        "the browser forgets it"
    );
    assert_eq!(json(over, 401).await["code"], "SESSION_REFUSED");
    let none = world.post("/auth/refresh").body("{}").send().await.unwrap();
    assert_eq!(json(none, 401).await["code"], "NO_SESSION");
    let again = world
        .post("/auth/sign-out")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 204, "nothing is there to end");
}

#[tokio::test]
async fn a_cookie_that_is_used_again_after_its_successor_ends_the_session() {
    let world = World::start().await;
    world.allow("ada@example.com").await;
    let first = set_cookie(&world.sign_in("/").await, "ck8s_refresh")
        .unwrap()
        .value;
    let refreshed = world.post_with("/auth/refresh", &first).await;
    let second = set_cookie(&refreshed, "ck8s_refresh").unwrap().value;
    // The answer was lost, or another tab was first: the same token again.
    let again = world.post_with("/auth/refresh", &first).await;
    assert_eq!(set_cookie(&again, "ck8s_refresh").unwrap().value, second);
    let refreshed = world.post_with("/auth/refresh", &second).await;
    let body = json(refreshed, 200).await;
    let reused = world.post_with("/auth/refresh", &first).await;
    assert_eq!(reused.status(), 401);
    assert!(!lives(&world, body["access_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn only_our_own_pages_are_answered() {
    let world = World::start().await;
    world.allow("ada@example.com").await;
    let cookie = set_cookie(&world.sign_in("/").await, "ck8s_refresh")
        .unwrap()
        .value;
    let cookie = format!("ck8s_refresh={cookie}");
    for path in ["/auth/refresh", "/auth/sign-out", "/auth/link"] {
        let foreign = world.browser.post(world.url(path));
        let foreign = foreign
            .header("content-type", "application/json")
            .header("origin", "https://evil.example");
        let foreign = foreign
            .header("cookie", &cookie)
            .body("{}")
            .send()
            .await
            .unwrap();
        assert_eq!(json(foreign, 403).await["code"], "ORIGIN_FOREIGN", "{path}");
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
        ] {
            let form = world
                .browser
                .post(world.url(path))
                .header("content-type", kind);
            let form = form
                .header("cookie", &cookie)
                .body("{}")
                .send()
                .await
                .unwrap();
            assert_eq!(
                json(form, 415).await["code"],
                "CONTENT_TYPE_INVALID",
                "{path}"
            );
        }
    }
    let long = world
        .post("/auth/link")
        .body("x".repeat(20_000))
        .send()
        .await
        .unwrap();
    assert_eq!(json(long, 400).await["code"], "BODY_UNREADABLE");
    // None of it touched the session.
    let own = world
        .post("/auth/refresh")
        .header("cookie", &cookie)
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(own.status(), 200);
}

#[tokio::test]
async fn the_code_of_a_link_opens_one_session() {
    let world = World::start().await;
    let code = world.auth.bootstrap().create_link().await.unwrap();
    let body = serde_json::json!({ "code": code }).to_string();
    let redeem = || async {
        world
            .post("/auth/link")
            .body(body.clone())
            .send()
            .await
            .unwrap()
    };
    let redeemed = redeem().await;
    let refresh = set_cookie(&redeemed, "ck8s_refresh").unwrap().value;
    let tokens = json(redeemed, 200).await;
    assert!(lives(&world, tokens["access_token"].as_str().unwrap()).await);
    assert_eq!(
        world.post_with("/auth/refresh", &refresh).await.status(),
        200
    );
    assert_eq!(json(redeem().await, 401).await["code"], "LINK_REFUSED");
    let odd = world.post("/auth/link").body("code").send().await.unwrap();
    assert_eq!(json(odd, 400).await["code"], "BODY_INVALID");
}

#[tokio::test]
async fn everybody_can_read_the_public_keys() {
    let world = World::start().await;
    let keys = world.get("/.well-known/jwks.json").await;
    assert_eq!(keys.headers()["cache-control"], "public, max-age=60");
    let keys = json(keys, 200).await;
    let key = &keys["keys"][0];
    assert_eq!(
        (&key["crv"], &key["use"]),
        (&Value::from("Ed25519"), &Value::from("sig"))
    );
    assert!(key.get("d").is_none(), "a private key is nobody's");
}
