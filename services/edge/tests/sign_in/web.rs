//! Sign-in in the browser: to the provider and back, or to a page that says what went wrong.
use ck8s_tests::Fault;
use reqwest::Response;

use crate::world::{SetCookie, World, location, set_cookie, set_cookies};

#[tokio::test]
async fn a_browser_signs_in_and_its_cookies_go_nowhere_else() {
    let world = World::start().await;
    world.allow("Ada@example.com").await;
    let login = world.login("/runs?state=failed", "").await;
    let binding = set_cookie(&login, "ck8s_sign_in_").unwrap();
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
    let used = set_cookie(&back, "ck8s_sign_in_").unwrap();
    assert_eq!(used.value, "finished.L3J1bnM", "no secret is left");
    assert!(used.attributes.contains("Max-Age=600"));
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
    let (query, _) = world.authorized("").await;
    let (_, other) = world.authorized("").await;
    let elsewhere = world.callback(&query, &other).await;
    assert!(
        page(elsewhere, 400)
            .await
            .contains("in the browser that started it")
    );

    let (query, cookie) = world.authorized("").await;
    let (_, state) = query.split_once('&').unwrap();
    let declined = world
        .callback(&format!("error=access_denied&{state}"), &cookie)
        .await;
    assert_eq!(set_cookie(&declined, "ck8s_sign_in_").unwrap().value, "");
    assert!(page(declined, 403).await.contains("ACCESS_DENIED"));

    let outside = world.login("https://evil.example", "").await;
    assert!(page(outside, 400).await.contains("must be a path"));

    let token = "/login/oauth/access_token";
    world.github.world().switch_on(token, Fault::Status(502), 3);
    assert!(
        page(world.sign_in("/").await, 502)
            .await
            .contains("identity provider")
    );
    world
        .github
        .world()
        .switch_on("/user", Fault::Status(403), 1);
    let refused = page(world.sign_in("/").await, 502).await;
    assert!(refused.contains("PROVIDER_REFUSED"), "{refused}");
}

#[tokio::test]
async fn tabs_that_sign_in_at_the_same_time_all_succeed() {
    let world = World::start().await;
    world.allow("ada@example.com").await;
    for first_ends_first in [true, false] {
        let (one, two) = (world.authorized("/a").await, world.authorized("/b").await);
        let cookies = format!("{}; {}", one.1, two.1);
        let mut tabs = [(one.0, "/a"), (two.0, "/b")];
        if !first_ends_first {
            tabs.reverse();
        }
        for (query, to) in tabs {
            let back = world.callback(&query, &cookies).await;
            assert_eq!(
                (back.status().as_u16(), location(&back).as_str()),
                (303, to)
            );
            assert!(set_cookie(&back, "ck8s_refresh").is_some());
        }
    }
}

#[tokio::test]
async fn a_browser_remembers_its_latest_sign_ins_only() {
    let world = World::start().await;
    let mut kept: Vec<String> = Vec::new();
    for n in 0..12 {
        let login = world.login("", &kept.join("; ")).await;
        for cookie in set_cookies(&login) {
            if cookie.value.is_empty() {
                kept.retain(|pair| !pair.starts_with(&cookie.name));
            } else {
                kept.push(cookie.pair());
            }
        }
        assert_eq!(kept.len(), (n + 1).min(8));
    }
}

#[tokio::test]
async fn a_callback_that_is_loaded_again_goes_on_to_the_page_until_the_session_ends() {
    let world = World::start().await;
    world.allow("ada@example.com").await;
    let (query, cookie) = world.authorized("/runs").await;
    let back = world.callback(&query, &cookie).await;
    let finished = set_cookie(&back, "ck8s_sign_in_").unwrap().pair();
    let refresh = set_cookie(&back, "ck8s_refresh").unwrap().value;
    // The provider's redirect does not bring the refresh token along.
    let again = world.callback(&query, &finished).await;
    assert_eq!(
        (again.status().as_u16(), location(&again).as_str()),
        (303, "/runs")
    );
    assert!(set_cookies(&again).is_empty());
    // Whoever has not finished it here reads that it is over.
    assert_eq!(world.callback(&query, "").await.status(), 400);
    assert_eq!(world.callback(&query, &cookie).await.status(), 400);

    let cookies = format!("{finished}; ck8s_refresh={refresh}");
    let out = world.post("/auth/sign-out").header("cookie", cookies);
    let out = out.body("{}").send().await.unwrap();
    assert_eq!(out.status(), 204);
    let cleared = set_cookie(&out, "ck8s_sign_in_").unwrap();
    assert!(finished.starts_with(&format!("{}=", cleared.name)) && cleared.value.is_empty());
}

#[tokio::test]
async fn a_sign_in_begins_at_the_public_url() {
    let world = World::start().await;
    let login = |host: &'static str, query: &str| {
        let url = world.url(&format!("/auth/github/login{query}"));
        world.browser.get(url).header("host", host).send()
    };
    let moved = login("inside:8080", "?return_to=/runs?a=b").await.unwrap();
    assert_eq!(moved.status(), 303);
    assert!(set_cookies(&moved).is_empty());
    let to = location(&moved);
    let expected = "https://ck8s.example/auth/github/login?moved=1&return_to=%2Fruns%3Fa%3Db";
    assert_eq!(to, expected);
    // A proxy that hides the name sends nobody round in circles.
    let query = to.split_once("login").unwrap().1;
    for host in ["inside:8080", "ck8s.example", "CK8S.example:443"] {
        let begun = login(host, query).await.unwrap();
        assert!(location(&begun).starts_with(&world.github.url), "{host}");
    }
    let begun = login("CK8S.example:443", "").await.unwrap();
    assert!(location(&begun).starts_with(&world.github.url));
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
