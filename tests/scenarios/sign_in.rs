//! People sign in at a GitHub that speaks HTTP: in the browser and on the command line; who must not come in, and how a session ends.
mod command_line;
mod secrets;
mod web;

use std::time::Duration;

use ck8s_proto::auth::v1::{WhoAmIRequest, WhoAmIResponse};
use ck8s_tests::{Account, Api, Browser, GitHub, GitHubWorld, Page, Setup, World, until};
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
