//! Sign-in at a GitHub that speaks HTTP, in the browser and on the command line: who gets in, who does not, and how a
//! session ends.
mod command_line;
mod secrets;
mod web;

use std::time::Duration;

use ck8s_proto::auth::v1::{WhoAmIRequest, WhoAmIResponse};
use ck8s_tests::{Account, Api, Browser, GitHub, GitHubWorld, Page, Setup, World, until};
use serde_json::json;
use tonic::Code;

const CALLBACK: &str = "http://127.0.0.1/auth/github/callback";

/// Starts a GitHub with these people, and a server whose users sign in there. The first person sits at the browser.
async fn scene(people: Vec<Account>, setup: Setup) -> (GitHub, World) {
    let world = people
        .into_iter()
        .fold(GitHubWorld::new(CALLBACK), GitHubWorld::with);
    let github = GitHub::start(world).await;
    // The shortest interval that GitHub could have: a test waits for it.
    github.world().device_interval = Duration::from_secs(1);
    let world = World::start(setup.github(&github)).await;
    (github, world)
}

fn ada() -> Account {
    Account::new(7, "ada", "ada@example.test")
}

/// Goes to GitHub and authorizes there. Returns the redirect back.
async fn authorize(browser: &mut Browser, world: &World, return_to: &str) -> Page {
    let url = format!(
        "{}/auth/github/login?return_to={}",
        world.ready.url,
        return_to.replace('#', "%23")
    );
    let away = browser.get(&url).await;
    assert_eq!(away.status, 303, "{away:?}");
    let page = browser.follow(&away).await;
    match page.location {
        Some(_) => page,
        None => browser.press(&page, "authorize", "1").await,
    }
}

/// Goes through the whole web flow. Returns the page or redirect that it ends with.
async fn sign_in(browser: &mut Browser, world: &World) -> Page {
    let back = authorize(browser, world, "/").await;
    browser.follow(&back).await
}

async fn refresh(browser: &mut Browser, world: &World) -> Page {
    let url = format!("{}/auth/refresh", world.ready.url);
    browser.post(&url, &json!({})).await
}

/// Returns a new access token for the browser's cookie.
async fn token(browser: &mut Browser, world: &World) -> String {
    let page = refresh(browser, world).await;
    assert_eq!(page.status, 200, "{page:?}");
    let body = page.json();
    assert!(body["expire_time"].is_string(), "{body}");
    body["access_token"].as_str().expect("a token").to_owned()
}

async fn who_is(world: &World, token: &str) -> Result<WhoAmIResponse, Code> {
    let api = Api::new(&world.ready.url, token);
    let answer = api.auth().who_am_i(WhoAmIRequest {}).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|s| s.code())
}

/// Waits until an access token is refused.
async fn until_refused(world: &World, token: &str) {
    until("the access token is refused", async || {
        (who_is(world, token).await == Err(Code::Unauthenticated)).then_some(())
    })
    .await;
}

/// Checks that a sign-in ended with a page that says why, and that nobody is signed in.
fn check_refused(browser: &Browser, page: &Page, status: u16) {
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
