//! People sign in at a GitHub that speaks HTTP: in the browser and on the command line; who must not come in, and how a session ends.
use std::{os::unix::fs::PermissionsExt, time::Duration};

use ck8s_proto::{
    auth::v1::{TokenKind, WhoAmIRequest, WhoAmIResponse},
    policy::v1::Caller,
};
use ck8s_tests::{
    Account, Api, Browser, Cli, Fault, GitHub, GitHubWorld, Page, Setup, World, database, script,
    until,
};
use http::header::CONTENT_TYPE;
use reqwest::Method;
use serde_json::json;
use tonic::Code;

const CALLBACK: &str = "http://127.0.0.1/auth/github/callback";

/// A GitHub with these people, and a server that lets its people sign in there. The first of them sits at the browser.
async fn scene(people: Vec<Account>, setup: Setup) -> (GitHub, World) {
    let world = people
        .into_iter()
        .fold(GitHubWorld::new(CALLBACK), GitHubWorld::with);
    let github = GitHub::start(world).await;
    // The shortest that there is: a test waits for it.
    github.world().device_interval = Duration::from_secs(1);
    let world = World::start(setup.github(&github)).await;
    (github, world)
}

fn ada() -> Account {
    Account::new(7, "ada", "ada@example.test")
}

/// Everything up to the provider's answer: where the browser is sent back to.
async fn at_github(browser: &mut Browser, world: &World, return_to: &str) -> Page {
    let url = format!(
        "{}/auth/github/login?return_to={}",
        world.ready.url,
        return_to.replace('#', "%23")
    );
    let away = browser.get(&url).await;
    assert_eq!(away.status, 303, "{away:?}");
    let asked = browser.follow(&away).await;
    match asked.location {
        Some(_) => asked,
        None => browser.press(&asked, "authorize", "1").await,
    }
}

/// The whole web flow; the page or redirect that it ends with.
async fn sign_in(browser: &mut Browser, world: &World) -> Page {
    let back = at_github(browser, world, "/").await;
    browser.follow(&back).await
}

async fn refresh(browser: &mut Browser, world: &World) -> Page {
    let url = format!("{}/auth/refresh", world.ready.url);
    browser.post(&url, &json!({})).await
}

/// An access token by the browser's cookie.
async fn token(browser: &mut Browser, world: &World) -> String {
    let page = refresh(browser, world).await;
    assert_eq!(page.status, 200, "{page:?}");
    let said = page.json();
    assert!(said["expire_time"].is_string(), "{said}");
    said["access_token"].as_str().expect("a token").to_owned()
}

async fn who_is(world: &World, token: &str) -> Result<WhoAmIResponse, Code> {
    let api = Api::new(&world.ready.url, token);
    let answer = api.auth().who_am_i(WhoAmIRequest {}).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|s| s.code())
}

/// Who a token is for comes to nothing, on every replica, within a second; here it is waited for.
async fn ends(world: &World, token: &str) {
    until("the access token is refused", async || {
        (who_is(world, token).await == Err(Code::Unauthenticated)).then_some(())
    })
    .await;
}

/// That a sign-in ended with a page that says why, and that nobody is signed in.
fn refused(browser: &Browser, page: &Page, status: u16) {
    assert_eq!(page.status, status, "{page:?}");
    assert!(page.kind.starts_with("text/html"), "{page:?}");
    assert!(!page.text.contains("<script"), "{page:?}");
    assert!(
        page.headers["content-security-policy"].contains("frame-ancestors 'none'"),
        "{page:?}"
    );
    assert_eq!(page.headers["cache-control"], "no-store");
    assert!(browser.cookie("ck8s_refresh").is_none(), "nobody is in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_goes_on_and_signs_out() {
    let (github, world) = scene(vec![ada()], Setup::without_worker()).await;
    let user = database::allow(&world.owner, "ada@example.test", false).await;
    database::join(&world.owner, user, "demo", "read").await;

    let mut browser = Browser::new();
    let back = at_github(&mut browser, &world, "/#/runs").await;
    let first = &browser.cookies["ck8s_sign_in"];
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
    assert!(browser.cookie("ck8s_sign_in").is_none(), "it is used up");

    let before = browser.cookie("ck8s_refresh");
    let one = token(&mut browser, &world).await;
    assert_ne!(browser.cookie("ck8s_refresh"), before, "it is another one");
    let me = who_is(&world, &one).await.expect("she is known");
    assert_eq!((me.caller(), me.name.as_str()), (Caller::Person, "ada"));
    let person = me.person.expect("a person");
    assert_eq!(person.user_id, user.to_string());
    assert_eq!(person.memberships.len(), 1, "{person:?}");
    let two = token(&mut browser, &world).await;
    assert_ne!(one, two);
    assert!(who_is(&world, &one).await.is_ok(), "it lives out its time");

    let keys = browser
        .get(&format!("{}/.well-known/jwks.json", world.ready.url))
        .await;
    let key = &keys.json()["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"]),
        (&json!("OKP"), &json!("Ed25519"))
    );
    assert!(key["d"].is_null(), "no private part");

    let url = format!("{}/auth/sign-out", world.ready.url);
    let left = browser.cookies.clone();
    let out = browser.post(&url, &json!({})).await;
    assert_eq!(out.status, 204, "{out:?}");
    assert!(browser.cookie("ck8s_refresh").is_none());
    for token in [&one, &two] {
        ends(&world, token).await;
    }
    browser.cookies = left;
    assert_eq!(refresh(&mut browser, &world).await.status, 401);
    assert!(browser.cookie("ck8s_refresh").is_none(), "it is cleared");

    let said = database::flow_events(&world.owner, "sign_in.succeeded").await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].0, "user:ada");
    assert_eq!(github.world().asked("/login/oauth/access_token", 200), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_allowed_gets_a_page_that_says_so_and_learns_nothing() {
    let grace = Account::new(8, "grace", "grace@example.test").unverified();
    let linus = Account::new(9, "linus", "linus@example.test");
    let (github, world) = scene(vec![linus, grace], Setup::without_worker()).await;
    database::allow(&world.owner, "grace@example.test", false).await;
    database::allow(&world.owner, "ada@example.test", false).await;

    let mut browser = Browser::new();
    let page = sign_in(&mut browser, &world).await;
    refused(&browser, &page, 403);
    assert!(!page.text.contains("ada@"), "no other address: {page:?}");

    github.world().sign_in("grace");
    let page = sign_in(&mut browser, &world).await;
    refused(&browser, &page, 403);
    assert!(page.text.contains("verified"), "{page:?}");

    let said = database::flow_events(&world.owner, "sign_in.refused").await;
    assert_eq!(said.len(), 2, "{said:?}");
    let users = database::tables_with(&world.owner, "linus@example.test").await;
    assert!(!users.contains(&"auth.users".to_owned()), "no self-signup");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_counts_without_case_and_opens_nothing_to_another_account() {
    let shouting = Account::new(7, "ada", "ADA@Example.TEST").and("second@example.test", true);
    let (github, world) = scene(vec![shouting], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let mut browser = Browser::new();
    assert_eq!(sign_in(&mut browser, &world).await.status, 303);
    let old = token(&mut browser, &world).await;
    assert!(who_is(&world, &old).await.is_ok());

    // The account keeps its id, whatever it is called and whichever address it has.
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

    // Another account that has got the address is somebody else.
    {
        let mut now = github.world();
        now.people
            .push(Account::new(666, "ada", "ada@example.test"));
        now.sign_in("ada");
    }
    let mut thief = Browser::new();
    let page = sign_in(&mut thief, &world).await;
    refused(&thief, &page, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_its_own_browsers_and_happens_once() {
    let (github, world) = scene(vec![ada()], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let callback = |query: &str| format!("{}/auth/github/callback?{query}", world.ready.url);

    // Somebody else's browser: it has begun a sign-in of its own, or none.
    let (mut ada, mut mallory) = (Browser::new(), Browser::new());
    let back = at_github(&mut ada, &world, "/").await;
    let page = mallory.follow(&back).await;
    refused(&mallory, &page, 400);
    let own = at_github(&mut mallory, &world, "/").await;
    let page = mallory.follow(&back).await;
    refused(&mallory, &page, 400);
    let (code, state) = (own.sent("code").unwrap(), own.sent("state").unwrap());

    // The right browser with a state that is not the sign-in's.
    let page = ada
        .get(&callback(&format!("code={code}&state={state}")))
        .await;
    refused(&ada, &page, 400);
    for query in ["", "code=x", "state=x", "code=x&state=x"] {
        let page = Browser::new().get(&callback(query)).await;
        assert_eq!(page.status, 400, "{query}: {page:?}");
    }

    // Once, and once only.
    let mut browser = Browser::new();
    let back = at_github(&mut browser, &world, "/").await;
    let kept = browser.cookies.clone();
    assert_eq!(browser.follow(&back).await.status, 303);
    let mut again = Browser::new();
    again.cookies = kept;
    let page = again.follow(&back).await;
    refused(&again, &page, 400);

    // A code that GitHub knows nothing of, in a sign-in that is good.
    let mut browser = Browser::new();
    let back = at_github(&mut browser, &world, "/").await;
    let state = back.sent("state").unwrap();
    let page = browser
        .get(&callback(&format!("code=made-up&state={state}")))
        .await;
    assert!((400..600).contains(&page.status), "{page:?}");
    refused(&browser, &page, page.status);

    // The person says no.
    github.world().revoke_all();
    let away = browser
        .get(&format!("{}/auth/github/login", world.ready.url))
        .await;
    let asked = browser.follow(&away).await;
    let back = browser.press(&asked, "authorize", "0").await;
    let page = browser.follow(&back).await;
    assert!([400, 403].contains(&page.status), "{page:?}");
    refused(&browser, &page, page.status);

    // Nowhere but to the console.
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
async fn a_github_that_fails_lets_nobody_in_and_is_named() {
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
        let back = at_github(&mut browser, &world, "/").await;
        github.world().switch_on(path, fault, 1);
        let page = browser.follow(&back).await;
        println!("{path} {fault:?}: {}", page.status);
        refused(&browser, &page, 502);
        assert!(page.text.contains("identity provider"), "{page:?}");
    }
    let mut browser = Browser::new();
    assert_eq!(sign_in(&mut browser, &world).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_comes_twice_ends_its_session() {
    let (_github, world) = scene(vec![ada()], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let (mut browser, mut other) = (Browser::new(), Browser::new());
    sign_in(&mut browser, &world).await;
    sign_in(&mut other, &world).await;
    let stolen = browser.cookies.clone();
    let access = token(&mut browser, &world).await;
    let bystander = token(&mut other, &world).await;

    let mut thief = Browser::new();
    thief.cookies = stolen;
    assert_eq!(refresh(&mut thief, &world).await.status, 401);
    ends(&world, &access).await;
    assert_eq!(refresh(&mut browser, &world).await.status, 401);
    assert!(who_is(&world, &bystander).await.is_ok(), "another session");
    assert_eq!(refresh(&mut other, &world).await.status, 200);
    let said = database::flow_events(&world.owner, "session.reused").await;
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_opens_to_scripts_of_its_own_page_alone() {
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

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_signs_in_with_a_code_and_keeps_its_session() {
    let (github, world) = scene(vec![ada()], Setup::without_worker()).await;
    let user = database::allow(&world.owner, "ada@example.test", false).await;
    database::join(&world.owner, user, "demo", "read_write").await;
    let cli = Cli::new(&world.ready.url);
    let nobody = cli.run(&["whoami"]).await;
    assert_eq!(nobody.status, Some(4), "{nobody:?}");
    assert!(nobody.err.contains("ck8s login"), "{nobody:?}");

    let login = cli.login(&["--device", "-o", "json"]).await;
    assert_eq!(login.page, format!("{}/login/device", github.url));
    // The page, as a person uses it.
    let mut browser = Browser::new();
    let decided = browser
        .request(Method::POST, &login.page, |request| {
            request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(format!("user_code={}&authorize=1", login.user_code))
        })
        .await;
    assert_eq!(decided.status, 200, "{decided:?}");
    let said = login.end().await;
    assert_eq!(said.status, Some(0), "{said:?}");
    assert_eq!(said.json()["name"], "ada", "{said:?}");
    assert_eq!(said.json()["caller"], "CALLER_PERSON", "{said:?}");

    let mode = |path: &std::path::Path| {
        let data = std::fs::metadata(path).expect("it is there");
        data.permissions().mode() & 0o777
    };
    assert_eq!(mode(&cli.credentials()), 0o600);
    assert_eq!(
        mode(cli.credentials().parent().expect("a directory")),
        0o700
    );
    let table = cli.run(&["whoami"]).await;
    assert_eq!(table.status, Some(0), "{table:?}");
    for word in ["ada", "demo", "read write"] {
        assert!(table.out.contains(word), "{table:?}");
    }
    let runs = cli.run(&["run", "list", "-o", "json"]).await;
    assert_eq!(runs.status, Some(0), "{runs:?}");
    let refused = cli.run(&["token", "create", "x", "--kind", "admin"]).await;
    assert_eq!(refused.status, Some(4), "{refused:?}");

    // Its access token has ended: many commands at once refresh it, one of them for all.
    let before = cli.kept();
    cli.age();
    let ask = || cli.run(&["whoami"]);
    let all = tokio::join!(ask(), ask(), ask(), ask());
    for said in [all.0, all.1, all.2, all.3] {
        assert_eq!(said.status, Some(0), "{said:?}");
    }
    let after = cli.kept();
    assert_ne!(before["refresh_token"], after["refresh_token"]);
    assert!(
        after["access_until"].as_i64() > Some(0),
        "it is not the old"
    );
    let reused = database::flow_events(&world.owner, "session.reused").await;
    assert!(reused.is_empty(), "{reused:?}");

    let access = after["access_token"].as_str().expect("a token").to_owned();
    let out = cli.run(&["logout"]).await;
    assert_eq!(out.status, Some(0), "{out:?}");
    assert!(cli.kept().is_null(), "it is forgotten");
    ends(&world, &access).await;
    assert_eq!(cli.run(&["whoami"]).await.status, Some(4));
    let again = cli.run(&["logout"]).await;
    assert_eq!(again.status, Some(0), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_outlives_access_tokens_and_ends_with_the_session() {
    let setup = Setup::without_worker().env("CK8S_ACCESS_TOKEN_TTL_S", "2");
    let (github, world) = scene(vec![ada()], setup).await;
    let user = database::allow(&world.owner, "ada@example.test", false).await;
    database::join(&world.owner, user, "demo", "read_write").await;
    let cli = Cli::new(&world.ready.url);
    let login = cli.login(&[]).await;
    assert!(github.world().decide_device(&login.user_code, "ada", true));
    assert_eq!(login.end().await.status, Some(0));

    for signs_out in [false, true] {
        let run = world.admin.start("demo", script("true")).await.id;
        let watch = cli.start(&["run", "watch", &run]);
        let mut last = cli.kept()["refresh_token"].clone();
        // Its first calls refresh too; what comes after them comes after the end of a stream.
        for _ in 0..4 {
            last = until("another refresh token", async || {
                let now = cli.kept()["refresh_token"].clone();
                (now != last).then_some(now)
            })
            .await;
        }
        let wanted = if signs_out {
            assert_eq!(cli.run(&["logout"]).await.status, Some(0));
            (Some(4), "signed out")
        } else {
            world.admin.cancel(&run).await.expect("is canceled");
            (Some(1), "canceled")
        };
        let output = watch.wait_with_output().await.expect("it ends");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(output.status.code(), wanted.0, "{said}");
        assert!(said.contains(wanted.1), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_ended_elsewhere_says_what_to_do() {
    let (github, world) = scene(vec![ada()], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let cli = Cli::new(&world.ready.url);
    let login = cli.login(&[]).await;
    assert!(github.world().decide_device(&login.user_code, "ada", true));
    let said = login.end().await;
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(said.out.contains("member of no project"), "{said:?}");

    // The copy of another machine: both cannot go on.
    let copy = cli.kept()["refresh_token"].clone();
    cli.age();
    assert_eq!(cli.run(&["whoami"]).await.status, Some(0));
    let mut thief = Browser::new();
    let spent = thief
        .post(
            &format!("{}/auth/refresh", world.ready.url),
            &json!({ "refresh_token": copy }),
        )
        .await;
    assert_eq!(spent.status, 401, "the door takes cookies only: {spent:?}");
    assert_eq!(cli.run(&["whoami"]).await.status, Some(0));
    let request = ck8s_proto::auth::v1::RefreshSessionRequest {
        refresh_token: copy.as_str().expect("a token").to_owned(),
    };
    let api = Api::anonymous(&world.ready.url);
    let reused = api.auth().refresh_session(request).await;
    assert_eq!(
        reused.map(drop).map_err(|s| s.code()),
        Err(Code::Unauthenticated)
    );
    let ended = until("the session has ended", async || {
        let said = cli.run(&["whoami"]).await;
        (said.status != Some(0)).then_some(said)
    })
    .await;
    assert_eq!(ended.status, Some(4), "{ended:?}");
    assert!(ended.err.contains("ck8s login"), "{ended:?}");
    assert!(cli.kept().is_null(), "what is good no more is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_let_in_only_by_who_may() {
    let linus = Account::new(9, "linus", "linus@example.test");
    let (github, world) = scene(vec![ada(), linus], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let cli = Cli::new(&world.ready.url);
    for (login, yes) in [("ada", false), ("linus", true)] {
        let waiting = cli.login(&[]).await;
        assert!(github.world().decide_device(&waiting.user_code, login, yes));
        let said = waiting.end().await;
        assert_eq!(said.status, Some(4), "{login}: {said:?}");
        assert_eq!(said.err.trim().lines().count(), 2, "{said:?}");
        assert!(said.err.contains("cannot sign in"), "{said:?}");
    }
    assert!(!cli.credentials().exists());

    // An API token can be kept instead, if the server knows it.
    let bad = cli.home().join("bad");
    std::fs::write(&bad, "ck8s_adm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let bad = bad.to_str().expect("a plain path");
    let said = cli.run(&["login", "--token-file", bad]).await;
    assert_eq!(said.status, Some(4), "{said:?}");
    assert!(!cli.credentials().exists());
    let good = cli.home().join("good");
    std::fs::write(&good, &world.ready.admin_token).unwrap();
    let good = good.to_str().expect("a plain path");
    let said = cli.run(&["login", "--token-file", good]).await;
    assert_eq!(said.status, Some(0), "{said:?}");
    let said = cli.run(&["whoami", "-o", "json"]).await;
    assert_eq!(said.json()["caller"], "CALLER_ADMIN", "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_whole_session_is_in_any_log_or_in_the_database() {
    let setup = Setup::without_worker().env("CK8S_LOG", "trace");
    let (github, world) = scene(vec![ada()], setup).await;
    database::allow(&world.owner, "ada@example.test", true).await;
    let mut secrets: Vec<(String, String)> = Vec::new();
    let mut keep = |name: &str, secret: &str| secrets.push((name.to_owned(), secret.to_owned()));

    let mut browser = Browser::new();
    let back = at_github(&mut browser, &world, "/").await;
    keep("our state", &back.sent("state").expect("a state"));
    assert_eq!(browser.follow(&back).await.status, 303);
    let stolen = browser.cookies.clone();
    for _ in 0..2 {
        let access = token(&mut browser, &world).await;
        assert_eq!(
            who_is(&world, &access).await.expect("her").caller(),
            Caller::Admin
        );
        keep("an access token", &access);
    }

    let cli = Cli::new(&world.ready.url);
    let login = cli.login(&[]).await;
    assert!(github.world().decide_device(&login.user_code, "ada", true));
    assert_eq!(login.end().await.status, Some(0));
    let kept = cli.kept();
    cli.age();
    let said = cli
        .run(&["token", "create", "ci", "--kind", "admin", "-o", "json"])
        .await;
    assert_eq!(said.status, Some(0), "{said:?}");
    keep(
        "an API token",
        said.json()["secret"].as_str().expect("it is shown"),
    );
    for kept in [kept, cli.kept()] {
        for name in ["access_token", "refresh_token"] {
            keep(name, kept[name].as_str().expect("it is kept"));
        }
    }
    let (_, made) = world.admin.token("revoked", TokenKind::Admin).await;
    assert!(who_is(&world, &made).await.is_ok());
    world.admin.revoke("revoked").await;
    keep("a revoked token", &made);

    // What fails is logged too: a provider that breaks, a token that comes twice, one that was made up.
    github.world().switch_on("/user", Fault::Status(500), 1);
    assert_eq!(sign_in(&mut Browser::new(), &world).await.status, 502);
    let mut thief = Browser::new();
    thief.cookies = stolen;
    assert_eq!(refresh(&mut thief, &world).await.status, 401);
    let url = format!("{}/auth/sign-out", world.ready.url);
    let mut last = Browser::new();
    assert_eq!(sign_in(&mut last, &world).await.status, 303);
    assert_eq!(last.post(&url, &json!({})).await.status, 204);
    assert_eq!(cli.run(&["logout"]).await.status, Some(0));

    keep("the admin's token", &world.ready.admin_token);
    for (name, secret) in github.world().secrets() {
        keep(name, &secret);
    }
    for (name, value) in browser.seen.iter().chain(&last.seen) {
        keep(&format!("the cookie {name}"), value);
    }
    let trace = world.logs();
    assert!(trace.contains("TRACE"), "the log is as loud as it can be");
    println!(
        "{} secrets, {} kB of log",
        secrets.len(),
        trace.len() / 1024
    );
    assert!(secrets.len() > 20, "{}", secrets.len());
    let named: Vec<(&str, &str)> = secrets
        .iter()
        .map(|(name, secret)| (name.as_str(), secret.as_str()))
        .collect();
    world.nowhere(&named).await;
}
