//! That it behaves as GitHub's documentation says, seen from outside, over HTTP.
use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{StatusCode, header::ACCEPT};
use reqwest::{Client, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Account, Fault, GitHub, GitHubWorld};
use crate::{Browser, Page};

const CALLBACK: &str = "http://127.0.0.1/auth/github/callback";
const BACK: &str = "http://127.0.0.1:4711/auth/github/callback";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123456789";

async fn github() -> GitHub {
    let ada = Account::new(7, "ada", "Ada@Example.test").and("second@example.test", false);
    GitHub::start(GitHubWorld::new(CALLBACK).with(ada)).await
}

fn authorize(github: &GitHub, more: &[(&str, &str)]) -> String {
    let client_id = github.world().app.client_id.clone();
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("client_id", &client_id);
    pairs.append_pair("redirect_uri", BACK);
    pairs.append_pair("scope", "read:user user:email");
    pairs.append_pair("state", "a state & more");
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    pairs.append_pair("code_challenge", &challenge);
    pairs.append_pair("code_challenge_method", "S256");
    pairs.extend_pairs(more);
    format!("{}/login/oauth/authorize?{}", github.url, pairs.finish())
}

/// Where a person who agrees is sent.
async fn agree(github: &GitHub, browser: &mut Browser) -> Page {
    let page = browser.get(&authorize(github, &[])).await;
    if page.location.is_some() {
        return page;
    }
    browser.press(&page, "authorize", "1").await
}

async fn exchange(github: &GitHub, more: &[(&str, &str)]) -> Value {
    let app = github.world().app.clone();
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("client_id", &app.client_id);
    if !more.iter().any(|(name, _)| *name == "client_secret") {
        form.append_pair("client_secret", &app.client_secret);
    }
    form.extend_pairs(more);
    let answer = Client::new()
        .post(format!("{}/login/oauth/access_token", github.url))
        .header(ACCEPT, "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.finish())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "refusals too");
    answer.json().await.unwrap()
}

async fn api(github: &GitHub, path: &str, token: &str) -> Response {
    let request = Client::new()
        .get(format!("{}{path}", github.api_url()))
        .header("user-agent", "tests");
    let request = if token.is_empty() {
        request
    } else {
        request.bearer_auth(token)
    };
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_person_who_agrees_gives_a_code_that_becomes_a_token_once() {
    let (github, mut browser) = (github().await, Browser::new());
    let asked = browser.get(&authorize(&github, &[])).await;
    assert!(asked.text.contains("Signed in as <strong>ada</strong>"));
    let sent = browser.press(&asked, "authorize", "1").await;
    assert_eq!(sent.sent("state").as_deref(), Some("a state & more"));
    assert!(sent.location.as_ref().unwrap().as_str().starts_with(BACK));
    let code = sent.sent("code").unwrap();
    let good = [
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
        ("redirect_uri", BACK),
    ];
    let answer = exchange(&github, &good).await;
    assert_eq!(answer["token_type"], "bearer");
    assert_eq!(answer["scope"], "read:user,user:email");
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(
        exchange(&github, &good).await["error"],
        "bad_verification_code"
    );

    let user: Value = api(&github, "/user", token).await.json().await.unwrap();
    assert_eq!(
        (user["id"].as_u64(), &user["email"]),
        (Some(7), &Value::Null)
    );
    let emails: Value = api(&github, "/user/emails", token)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(emails[0]["email"], "Ada@Example.test");
    assert_eq!(emails[0]["primary"], true);
    assert_eq!(emails[1]["verified"], false);
    for wrong in ["", "gho_nothing"] {
        assert_eq!(api(&github, "/user", wrong).await.status(), 401);
    }

    // Who has agreed is not asked again.
    let again = browser.get(&authorize(&github, &[])).await;
    assert!(again.sent("code").is_some(), "{again:?}");
    let secrets = github.world().secrets();
    assert_eq!(secrets.len(), 4, "client secret, two codes, a token");
}

#[tokio::test]
async fn a_code_is_refused_to_whoever_is_not_its_own() {
    let (github, mut browser) = (github().await, Browser::new());
    type Pair<'a> = (&'a str, &'a str);
    let cases: [(&str, &[Pair], &str); 4] = [
        ("no verifier", &[], "bad_verification_code"),
        (
            "another verifier",
            &[("code_verifier", "other")],
            "bad_verification_code",
        ),
        (
            "another secret",
            &[("code_verifier", VERIFIER), ("client_secret", "other")],
            "incorrect_client_credentials",
        ),
        (
            "another address",
            &[
                ("code_verifier", VERIFIER),
                ("redirect_uri", "http://127.0.0.1/other"),
            ],
            "redirect_uri_mismatch",
        ),
    ];
    for (name, more, error) in cases {
        let code = agree(&github, &mut browser).await.sent("code").unwrap();
        let mut form = vec![("code", code.as_str())];
        form.extend(more);
        let answer = exchange(&github, &form).await;
        assert_eq!(answer["error"], error, "{name}: {answer}");
    }
    let code = agree(&github, &mut browser).await.sent("code").unwrap();
    github.world().advance(Duration::from_secs(601));
    let late = exchange(&github, &[("code", &code), ("code_verifier", VERIFIER)]).await;
    assert_eq!(late["error"], "bad_verification_code");
}

#[tokio::test]
async fn who_does_not_agree_or_asks_wrongly_goes_back_with_the_error() {
    let (github, mut browser) = (github().await, Browser::new());
    let asked = browser.get(&authorize(&github, &[])).await;
    let denied = browser.press(&asked, "authorize", "0").await;
    assert_eq!(denied.sent("error").as_deref(), Some("access_denied"));
    assert_eq!(denied.sent("state").as_deref(), Some("a state & more"));
    let elsewhere = [("redirect_uri", "https://evil.example/auth/github/callback")];
    let page = browser.get(&authorize(&github, &elsewhere)).await;
    assert_eq!(page.sent("error").as_deref(), Some("redirect_uri_mismatch"));
    assert!(page.location.unwrap().as_str().starts_with(CALLBACK));
    let plain = [("code_challenge_method", "plain")];
    let page = browser.get(&authorize(&github, &plain)).await;
    assert_eq!(page.sent("error").as_deref(), Some("invalid_request"));
    let unknown = [("client_id", "other")];
    assert_eq!(browser.get(&authorize(&github, &unknown)).await.status, 404);
    github.world().signed_in = None;
    assert_eq!(browser.get(&authorize(&github, &[])).await.status, 401);
}

#[tokio::test]
async fn addresses_are_shown_for_their_scope_only() {
    let (github, mut browser) = (github().await, Browser::new());
    let asked = browser
        .get(&authorize(&github, &[("scope", "read:user")]))
        .await;
    let code = browser
        .press(&asked, "authorize", "1")
        .await
        .sent("code")
        .unwrap();
    let answer = exchange(&github, &[("code", &code), ("code_verifier", VERIFIER)]).await;
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(api(&github, "/user", token).await.status(), 200);
    assert_eq!(api(&github, "/user/emails", token).await.status(), 403);
    let anonymous = Client::new()
        .get(format!("{}/user", github.api_url()))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    assert_eq!(anonymous.status(), 403, "no User-Agent");
    github.world().any_token_is = Some("ada".to_owned());
    assert_eq!(api(&github, "/user/emails", "any").await.status(), 200);
}

#[tokio::test]
async fn a_device_waits_for_a_person() {
    let (github, mut browser) = (github().await, Browser::new());
    let client_id = github.world().app.client_id.clone();
    let begin = format!("{}/login/device/code", github.url);
    let answer: Value = Client::new()
        .post(begin)
        .header(ACCEPT, "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("client_id={client_id}&scope=user:email"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(answer["interval"], 5);
    let device = answer["device_code"].as_str().unwrap();
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let form = [("device_code", device), ("grant_type", grant)];
    let pending = exchange(&github, &form).await;
    assert_eq!(pending["error"], "authorization_pending");
    let slow = exchange(&github, &form).await;
    assert_eq!(
        (&slow["error"], &slow["interval"]),
        (&"slow_down".into(), &10.into())
    );
    github.world().advance(Duration::from_secs(10));
    let page = browser
        .get(&format!(
            "{}?user_code={}",
            answer["verification_uri"].as_str().unwrap(),
            answer["user_code"].as_str().unwrap()
        ))
        .await;
    assert!(page.text.contains("Connect a device"), "{page:?}");
    let typed = answer["user_code"].as_str().unwrap();
    assert!(github.world().decide_device(typed, "ada", true));
    let good = exchange(&github, &form).await;
    assert!(good["access_token"].is_string(), "{good}");
    let used = exchange(&github, &form).await;
    assert_eq!(used["error"], "incorrect_device_code");
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_was_told() {
    let github = github().await;
    github.world().switch_on("/user", Fault::Status(502), 1);
    github.world().switch_on("/user", Fault::Cut, 1);
    let late = Duration::from_millis(50);
    github.world().switch_on("/user", Fault::Delay(late), 1);
    assert_eq!(
        api(&github, "/user", "x").await.status(),
        StatusCode::BAD_GATEWAY
    );
    let request = Client::new()
        .get(format!("{}/user", github.api_url()))
        .header("user-agent", "tests");
    let cut = async { request.send().await?.bytes().await }.await;
    assert!(cut.is_err(), "{cut:?}");
    let since = std::time::Instant::now();
    assert_eq!(api(&github, "/user", "x").await.status(), 401);
    assert!(since.elapsed() >= late);
    assert_eq!(api(&github, "/user", "x").await.status(), 401);
    let world = github.world();
    assert_eq!(world.asked("/api/v3/user", 502), 1);
    assert_eq!(world.asked("/api/v3/user", 401), 2);
}
