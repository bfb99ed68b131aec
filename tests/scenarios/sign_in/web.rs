//! Sign-in in the browser: who gets in, who does not, and how a session goes on and ends.
use ck8s_proto::policy::v1::Caller;
use ck8s_tests::{Account, Browser, Fault, Setup, database};
use http::header::CONTENT_TYPE;
use reqwest::Method;
use serde_json::json;

use super::{ada, authorize, check_refused, refresh, scene, sign_in, token, until_refused, who_is};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_refreshes_and_signs_out() {
    let (github, world) = scene(vec![ada()], Setup::without_worker()).await;
    let user = database::allow(&world.owner, "ada@example.test", false).await;
    database::join(&world.owner, user, "demo", "read").await;

    let mut browser = Browser::new();
    let back = authorize(&mut browser, &world, "/#/runs").await;
    let begun = |browser: &Browser| {
        let mut cookies = browser.cookies.iter();
        let found = cookies.find(|(name, _)| name.starts_with("ck8s_sign_in_"));
        found.map(|(_, cookie)| cookie.clone()).expect("a cookie")
    };
    let first = begun(&browser);
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/auth"] {
        assert!(first.has(attribute), "{first:?}");
    }
    let inside = browser.follow(&back).await;
    assert_eq!(inside.status, 303, "{inside:?}");
    let to = inside.location.as_ref().expect("somewhere");
    assert_eq!(to.as_str(), format!("{}/#/runs", world.ready.url));
    let cookie = &browser.cookies["ck8s_refresh"];
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/auth"] {
        assert!(cookie.has(attribute), "{cookie:?}");
    }
    assert!(!cookie.has("Secure"), "the public address is http");
    let used = begun(&browser).value;
    assert!(used.starts_with("finished."), "it is used up: {used}");
    let again = browser.follow(&back).await;
    assert_eq!(again.location, inside.location, "{again:?}");

    let before = browser.cookie("ck8s_refresh");
    let one = token(&mut browser, &world).await;
    assert_ne!(browser.cookie("ck8s_refresh"), before, "it is replaced");
    let me = who_is(&world, &one).await.expect("a known person");
    assert_eq!((me.caller(), me.name.as_str()), (Caller::Person, "ada"));
    let person = me.person.expect("a person");
    assert_eq!(person.user_id, user.to_string());
    assert_eq!(person.memberships.len(), 1, "{person:?}");
    let two = token(&mut browser, &world).await;
    assert_ne!(one, two);
    assert!(
        who_is(&world, &one).await.is_ok(),
        "it stays valid until it expires"
    );

    let keys = browser
        .get(&format!("{}/.well-known/jwks.json", world.ready.url))
        .await;
    let key = &keys.json()["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"]),
        (&json!("OKP"), &json!("Ed25519"))
    );
    assert!(key["d"].is_null(), "no private key");

    let url = format!("{}/auth/sign-out", world.ready.url);
    let left = browser.cookies.clone();
    let out = browser.post(&url, &json!({})).await;
    assert_eq!(out.status, 204, "{out:?}");
    assert!(browser.cookie("ck8s_refresh").is_none());
    for token in [&one, &two] {
        until_refused(&world, token).await;
    }
    browser.cookies = left;
    assert_eq!(refresh(&mut browser, &world).await.status, 401);
    assert!(browser.cookie("ck8s_refresh").is_none(), "it is cleared");

    let events = database::flow_events(&world.owner, "sign_in.succeeded").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].0, "user:ada");
    assert_eq!(github.world().asked("/login/oauth/access_token", 200), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_not_on_the_allow_list_reads_so_and_learns_nothing_else() {
    let grace = Account::new(8, "grace", "grace@example.test").unverified();
    let linus = Account::new(9, "linus", "linus@example.test");
    let (github, world) = scene(vec![linus, grace], Setup::without_worker()).await;
    database::allow(&world.owner, "grace@example.test", false).await;
    database::allow(&world.owner, "ada@example.test", false).await;

    let mut browser = Browser::new();
    let page = sign_in(&mut browser, &world).await;
    check_refused(&browser, &page, 403);
    assert!(
        !page.text.contains("ada@"),
        "the page names no other address: {page:?}"
    );

    github.world().sign_in("grace");
    let page = sign_in(&mut browser, &world).await;
    check_refused(&browser, &page, 403);
    assert!(page.text.contains("verified"), "{page:?}");

    let events = database::flow_events(&world.owner, "sign_in.refused").await;
    assert_eq!(events.len(), 2, "{events:?}");
    let users = database::tables_with(&world.owner, "linus@example.test").await;
    assert!(!users.contains(&"auth.users".to_owned()), "no self-signup");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_ignores_case_and_belongs_to_the_account_that_signed_in_first() {
    let shouting = Account::new(7, "ada", "ADA@Example.TEST").and("second@example.test", true);
    let (github, world) = scene(vec![shouting], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let mut browser = Browser::new();
    assert_eq!(sign_in(&mut browser, &world).await.status, 303);
    let old = token(&mut browser, &world).await;
    assert!(who_is(&world, &old).await.is_ok());

    // The account keeps its id when its name and its address change.
    {
        let mut now = github.world();
        now.people[0].login = "countess".to_owned();
        now.people[0].emails.truncate(1);
        now.people[0].emails[0].email = "new@example.test".to_owned();
        now.sign_in("countess");
    }
    let mut second = Browser::new();
    assert_eq!(sign_in(&mut second, &world).await.status, 303);
    let renamed = token(&mut second, &world).await;
    assert_eq!(
        who_is(&world, &renamed).await.expect("she").name,
        "countess"
    );

    // Another account that now has the old address is somebody else.
    {
        let mut now = github.world();
        now.people
            .push(Account::new(666, "ada", "ada@example.test"));
        now.sign_in("ada");
    }
    let mut thief = Browser::new();
    let page = sign_in(&mut thief, &world).await;
    check_refused(&thief, &page, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_belongs_to_its_browser_and_works_once() {
    let (github, world) = scene(vec![ada()], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let callback = |query: &str| format!("{}/auth/github/callback?{query}", world.ready.url);

    // Another browser, which has begun no sign-in or one of its own.
    let (mut ada, mut mallory) = (Browser::new(), Browser::new());
    let back = authorize(&mut ada, &world, "/").await;
    let page = mallory.follow(&back).await;
    check_refused(&mallory, &page, 400);
    let own = authorize(&mut mallory, &world, "/").await;
    let page = mallory.follow(&back).await;
    check_refused(&mallory, &page, 400);
    let (code, state) = (own.sent("code").unwrap(), own.sent("state").unwrap());

    // The right browser with the state of another sign-in.
    let page = ada
        .get(&callback(&format!("code={code}&state={state}")))
        .await;
    check_refused(&ada, &page, 400);
    for query in ["", "code=x", "state=x", "code=x&state=x"] {
        let page = Browser::new().get(&callback(query)).await;
        assert_eq!(page.status, 400, "{query}: {page:?}");
    }

    // A sign-in works once.
    let mut browser = Browser::new();
    let back = authorize(&mut browser, &world, "/").await;
    let kept = browser.cookies.clone();
    assert_eq!(browser.follow(&back).await.status, 303);
    let mut again = Browser::new();
    again.cookies = kept;
    let page = again.follow(&back).await;
    check_refused(&again, &page, 400);

    // A code that GitHub does not know, in a valid sign-in.
    let mut browser = Browser::new();
    let back = authorize(&mut browser, &world, "/").await;
    let state = back.sent("state").unwrap();
    let page = browser
        .get(&callback(&format!("code=made-up&state={state}")))
        .await;
    assert!((400..600).contains(&page.status), "{page:?}");
    check_refused(&browser, &page, page.status);

    // The person declines.
    github.world().revoke_all();
    let away = browser
        .get(&format!("{}/auth/github/login", world.ready.url))
        .await;
    let page = browser.follow(&away).await;
    let back = browser.press(&page, "authorize", "0").await;
    let page = browser.follow(&back).await;
    assert!([400, 403].contains(&page.status), "{page:?}");
    check_refused(&browser, &page, page.status);

    // A sign-in returns only to the console.
    for elsewhere in ["//evil.example", "https://evil.example", "/%5Cevil.example"] {
        let url = format!(
            "{}/auth/github/login?return_to={elsewhere}",
            world.ready.url
        );
        let page = Browser::new().get(&url).await;
        assert_eq!(page.status, 400, "{elsewhere}: {page:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_github_lets_nobody_in_and_is_named() {
    let (github, world) = scene(vec![ada()], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let faults = [
        ("/login/oauth/access_token", Fault::Status(503)),
        ("/login/oauth/access_token", Fault::Cut),
        ("/user", Fault::Status(500)),
        ("/user/emails", Fault::Cut),
        ("/user/emails", Fault::Status(403)),
    ];
    for (path, fault) in faults {
        let mut browser = Browser::new();
        let back = authorize(&mut browser, &world, "/").await;
        // Each request is made three times.
        github.world().switch_on(path, fault, 3);
        let page = browser.follow(&back).await;
        github.world().switch_off();
        println!("{path} {fault:?}: {}", page.status);
        check_refused(&browser, &page, 502);
        assert!(page.text.contains("identity provider"), "{page:?}");
    }
    // One failure is asked again, and nobody notices.
    github.world().switch_on("/user", Fault::Cut, 1);
    let mut browser = Browser::new();
    assert_eq!(sign_in(&mut browser, &world).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reused_refresh_token_ends_its_session() {
    let (_github, world) = scene(vec![ada()], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let (mut browser, mut other) = (Browser::new(), Browser::new());
    sign_in(&mut browser, &world).await;
    sign_in(&mut other, &world).await;
    let stolen = browser.cookies.clone();
    // The thief comes when the token that followed has been used.
    token(&mut browser, &world).await;
    let access = token(&mut browser, &world).await;
    let bystander = token(&mut other, &world).await;

    let mut thief = Browser::new();
    thief.cookies = stolen;
    assert_eq!(refresh(&mut thief, &world).await.status, 401);
    until_refused(&world, &access).await;
    assert_eq!(refresh(&mut browser, &world).await.status, 401);
    assert!(who_is(&world, &bystander).await.is_ok(), "another session");
    assert_eq!(refresh(&mut other, &world).await.status, 200);
    let events = database::flow_events(&world.owner, "session.reused").await;
    assert_eq!(events.len(), 1, "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_scripts_of_our_own_pages_can_use_the_session() {
    let (_github, world) = scene(vec![ada()], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let mut browser = Browser::new();
    sign_in(&mut browser, &world).await;
    let kept = browser.cookie("ck8s_refresh");
    for path in ["refresh", "sign-out", "link"] {
        let url = format!("{}/auth/{path}", world.ready.url);
        let page = browser
            .post_from("https://evil.example", &url, &json!({}))
            .await;
        assert_eq!(page.status, 403, "{path}: {page:?}");
        let form = browser
            .request(Method::POST, &url, |request| {
                request
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body("a=b")
            })
            .await;
        assert_eq!(form.status, 415, "{path}: {form:?}");
        let read = browser.get(&url).await;
        assert_eq!(read.status, 405, "{path}: {read:?}");
    }
    assert_eq!(browser.cookie("ck8s_refresh"), kept);
    assert_eq!(refresh(&mut browser, &world).await.status, 200);
}
