//! Sign-in through the program itself: the first admin comes in by GitHub, goes on, signs out; and its log, at its most
//! talkative, holds none of the secrets that went by.
use std::fs;

use ck8s_db::test::TestDb;
use ck8s_tests::{Account, GitHub, GitHubWorld};
use reqwest::{Client, Response, redirect};
use serde_json::Value;

use crate::{
    process::{Running, ck8s, get},
    serve::{free_port, serve},
};

/// The address where people would reach the console.
const PUBLIC_URL: &str = "https://ck8s.example";

fn cookie(response: &Response, name: &str) -> String {
    let all = response.headers().get_all("set-cookie").iter();
    let mut ours = all.filter_map(|value| value.to_str().ok()?.strip_prefix(&format!("{name}=")));
    let value = ours.next().expect("the cookie").split(';').next();
    value.expect("a value").to_owned()
}

fn grant(db: &TestDb, args: &[&str]) -> (bool, String) {
    let output = ck8s()
        .args(["admin", "grant"])
        .args(args)
        .env("DATABASE_URL", db.url())
        .output()
        .unwrap();
    let said =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_comes_in_and_no_secret_is_logged() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let db = TestDb::new().await;
    let home = tempfile::tempdir().unwrap();
    let callback = format!("{PUBLIC_URL}/auth/github/callback");
    let ada = Account::new(7, "ada", "ada@example.com");
    let github = GitHub::start(GitHubWorld::new(&callback).with(ada)).await;
    let client_secret = github.world().app.client_secret.clone();
    let port = free_port();
    let mut command = serve(db.url());
    command
        .env("CK8S_LISTEN", format!("127.0.0.1:{port}"))
        .env("CK8S_LOG", "trace")
        .env("CK8S_PUBLIC_URL", PUBLIC_URL)
        .envs(github.env())
        .env("CK8S_FIRST_ADMIN", "Ada@Example.com");
    let log = home.path().join("log");
    let mut server = Running::start(command, &log);
    let url = format!("http://127.0.0.1:{port}");
    let ready = format!("{url}/readyz");
    let server = tokio::task::spawn_blocking(move || {
        server.until("readiness", || get(&ready).filter(|answer| answer.0 == 200));
        server
    });
    let server = server.await.unwrap();

    let browser = Client::builder()
        .redirect(redirect::Policy::none())
        .build()
        .unwrap();
    let login = browser.get(format!("{url}/auth/github/login"));
    let login = login.header("host", "ck8s.example").send().await.unwrap();
    let page = login.headers()["location"].to_str().unwrap().to_owned();
    let (code, state) = github.authorize(&page).await;
    let binding = login.headers()["set-cookie"].to_str().unwrap();
    let (pair, _) = binding.split_once(';').unwrap();
    let (_, binding) = pair.split_once('=').unwrap();
    let back = browser
        .get(format!(
            "{url}/auth/github/callback?code={code}&state={state}"
        ))
        .header("cookie", pair);
    let back = back.send().await.unwrap();
    assert_eq!(back.status(), 303, "{}", back.text().await.unwrap());
    let first = cookie(&back, "ck8s_refresh");
    let post = async |path: &str, refresh: &str| {
        let request = browser
            .post(format!("{url}{path}"))
            .header("content-type", "application/json")
            .header("origin", PUBLIC_URL)
            .header("cookie", format!("ck8s_refresh={refresh}"));
        request.body("{}").send().await.unwrap()
    };
    let refreshed = post("/auth/refresh", &first).await;
    assert_eq!(refreshed.status(), 200);
    let second = cookie(&refreshed, "ck8s_refresh");
    let tokens: Value = refreshed.json().await.unwrap();
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(post("/auth/sign-out", &second).await.status(), 204);
    assert_eq!(post("/auth/refresh", &second).await.status(), 401);

    let (good, said) = grant(&db, &["ada@example.com"]);
    assert!(
        good && said.contains("is a platform admin already"),
        "{said}"
    );
    let log = fs::read_to_string(&server.stderr).unwrap();
    assert!(
        log.contains("the first platform admin may sign in"),
        "the log is this server's"
    );
    assert!(log.contains("TRACE"), "and at its most talkative");
    let signature = access.rsplit('.').next().unwrap();
    for (what, secret) in [
        ("client secret", client_secret.as_str()),
        ("GitHub's token", "gho_"),
        ("GitHub's code", &code),
        ("state", &state),
        ("browser's secret", binding),
        ("refresh token", &first),
        ("next refresh token", &second),
        ("access token", signature),
        ("key ring", "MDEyMzQ1Njc4OTAxMjM0"),
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{what}: {}", line.unwrap_or_default());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_database_lets_somebody_in() {
    let db = TestDb::new().await;
    let (good, said) = grant(&db, &["nobody"]);
    assert!(!good && said.contains("must be an address"), "{said}");
    let (good, said) = grant(&db, &["bob@example.com"]);
    assert!(
        good && said.contains("may sign in as a platform admin"),
        "{said}"
    );
    let (good, said) = grant(&db, &["BOB@example.com", "--forget-identity"]);
    assert!(
        good && said.contains("already") && !said.contains("forgotten"),
        "{said}"
    );
    let sign_in = "UPDATE auth.users SET external_id = '5', login = 'bob'";
    sqlx::query(sign_in)
        .execute(&db.owner().await)
        .await
        .unwrap();
    let (good, said) = grant(&db, &["bob@example.com", "--forget-identity"]);
    assert!(good && said.contains("is forgotten"), "{said}");
}
