//! Sign-in in the browser: to the provider and back, or to a page that says what went wrong.
use ck8s_tests::Fault;
use reqwest::Response;

use crate::world::{SetCookie, World, location, set_cookie};

#[tokio::test]
async fn a_browser_signs_in_and_its_cookies_go_nowhere_else() {
    let world = World::start().await;
    world.allow("Ada@example.com").await;
    let login = world
        .get("/auth/github/login?return_to=/runs?state=failed")
        .await;
    let binding = set_cookie(&login, "ck8s_sign_in").unwrap();
    let attributes = |cookie: &SetCookie| Vec::from_iter(cookie.attributes.clone());
    assert_eq!(
        attributes(&binding),
        [
            "HttpOnly",
            "Max-Age=600",
            "Path=/auth",
            "SameSite=Lax",
            "Secure"
        ]
    );
    assert_eq!(login.headers()["cache-control"], "no-store");
    assert!(!location(&login).contains(&binding.value));

    let back = world.sign_in("/runs").await;
    assert_eq!(
        (back.status().as_u16(), location(&back).as_str()),
        (303, "/runs")
    );
    let refresh = set_cookie(&back, "ck8s_refresh").unwrap();
    assert!(refresh.value.starts_with("ck8s_ref_"));
    let (life, rest): (Vec<_>, Vec<_>) = attributes(&refresh)
        .into_iter()
        .partition(|attribute| attribute.starts_with("Max-Age="));
    assert_eq!(
        rest,
        ["HttpOnly", "Path=/auth", "SameSite=Strict", "Secure"]
    );
    let [life] = life.as_slice() else {
        panic!("{life:?}")
    };
    let seconds: i64 = life.strip_prefix("Max-Age=").unwrap().parse().unwrap();
    assert!((604_000..=604_800).contains(&seconds), "{seconds}");
    assert_eq!(
        set_cookie(&back, "ck8s_sign_in").unwrap().value,
        "",
        "used up"
    );
    assert_eq!(back.headers()["cache-control"], "no-store");
    assert_eq!(location(&world.sign_in("").await), "/");
}

/// Returns the text of a page for people, and checks the headers that keep other sites away.
async fn page(response: Response, status: u16) -> String {
    assert_eq!(response.status(), status);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-frame-options"), "DENY");
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(set_cookie(&response, "ck8s_refresh").is_none());
    response.text().await.unwrap()
}

#[tokio::test]
async fn a_failed_sign_in_shows_why() {
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
            .contains("in the browser that started it")
    );

    let login = world.get("/auth/github/login").await;
    let binding = set_cookie(&login, "ck8s_sign_in").unwrap().value;
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
async fn each_path_takes_only_its_method() {
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
