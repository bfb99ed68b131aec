//! The browser's way: to the provider, back, and in; or a page that says why not.
use ck8s_tests::Fault;
use reqwest::Response;

use crate::world::{World, location, set};

#[tokio::test]
async fn a_browser_signs_in_and_its_cookies_go_nowhere_else() {
    let world = World::start().await;
    world.allow("Ada@example.com").await;
    let login = world
        .get("/auth/github/login?return_to=/runs?state=failed")
        .await;
    let binding = set(&login, "ck8s_sign_in").unwrap();
    assert_eq!(
        binding.attributes,
        "Path=/auth; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
    );
    assert_eq!(login.headers()["cache-control"], "no-store");
    assert!(!location(&login).contains(&binding.value));

    let back = world.sign_in("/runs").await;
    assert_eq!(
        (back.status().as_u16(), location(&back).as_str()),
        (303, "/runs")
    );
    let refresh = set(&back, "ck8s_refresh").unwrap();
    assert!(refresh.value.starts_with("ck8s_ref_"));
    let (life, rest) = refresh.attributes.split_once("; HttpOnly").unwrap();
    assert_eq!(rest, "; SameSite=Strict; Secure");
    let seconds: i64 = life
        .strip_prefix("Path=/auth; Max-Age=")
        .unwrap()
        .parse()
        .unwrap();
    assert!((604_000..=604_800).contains(&seconds), "{seconds}");
    assert_eq!(set(&back, "ck8s_sign_in").unwrap().value, "", "used up");
    assert_eq!(back.headers()["cache-control"], "no-store");
    assert_eq!(location(&world.sign_in("").await), "/");
}

/// A page for people, with headers that let nobody near it.
async fn page(response: Response, status: u16) -> String {
    assert_eq!(response.status(), status);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-frame-options"), "DENY");
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(set(&response, "ck8s_refresh").is_none());
    response.text().await.unwrap()
}

#[tokio::test]
async fn who_does_not_get_in_reads_why() {
    let world = World::start().await;
    let text = page(world.sign_in("/").await, 403).await;
    assert!(
        text.contains("NOT_ALLOWED") && text.contains("ask an admin"),
        "{text}"
    );

    world.allow("ada@example.com").await;
    let nothing = page(world.get("/auth/github/callback").await, 400).await;
    assert!(nothing.contains("STATE_REFUSED"), "{nothing}");
    let login = world.get("/auth/github/login").await;
    let (code, state) = world.github.authorize(&location(&login)).await;
    let elsewhere = world
        .callback(&format!("code={code}&state={state}"), "another")
        .await;
    assert!(
        page(elsewhere, 400)
            .await
            .contains("in the browser that began it")
    );

    let login = world.get("/auth/github/login").await;
    let binding = set(&login, "ck8s_sign_in").unwrap().value;
    let (_, state) = world.github.authorize(&location(&login)).await;
    let declined = world
        .callback(&format!("error=access_denied&state={state}"), &binding)
        .await;
    assert!(page(declined, 403).await.contains("ACCESS_DENIED"));

    let outside = world
        .get("/auth/github/login?return_to=https://evil.example")
        .await;
    assert!(page(outside, 400).await.contains("must be a path"));

    let token = "/login/oauth/access_token";
    world.github.world().switch_on(token, Fault::Status(502), 1);
    assert!(
        page(world.sign_in("/").await, 502)
            .await
            .contains("identity provider")
    );
}

#[tokio::test]
async fn each_path_takes_its_method_and_no_other_is_there() {
    let world = World::start().await;
    let posted = world
        .post("/auth/github/login")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (posted.status().as_u16(), &posted.headers()["allow"]),
        (405, &"GET".parse().unwrap())
    );
    let got = world.get("/auth/refresh").await;
    assert_eq!(
        (got.status().as_u16(), &got.headers()["allow"]),
        (405, &"POST".parse().unwrap())
    );
    assert_eq!(world.get("/auth/other").await.status(), 404);
}
