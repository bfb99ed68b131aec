//! No secret of a whole session is in a log or in the database.
use ck8s_proto::{auth::v1::TokenKind, policy::v1::Caller};
use ck8s_tests::{Browser, Cli, Fault, Setup, database};
use serde_json::json;

use super::{ada, authorize, refresh, scene, sign_in, token, who_is};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_whole_session_is_in_any_log_or_in_the_database() {
    let setup = Setup::without_worker().env("CK8S_LOG", "trace");
    let (github, world) = scene(vec![ada()], setup).await;
    database::allow(&world.owner, "ada@example.test", true).await;
    let mut secrets: Vec<(String, String)> = Vec::new();
    let mut keep = |name: &str, secret: &str| secrets.push((name.to_owned(), secret.to_owned()));

    let mut browser = Browser::new();
    let back = authorize(&mut browser, &world, "/").await;
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
    let output = cli
        .run(&["token", "create", "ci", "--kind", "admin", "-o", "json"])
        .await;
    assert_eq!(output.status, Some(0), "{output:?}");
    keep(
        "an API token",
        output.json()["secret"].as_str().expect("it is shown"),
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

    // Failures are logged too: a provider that fails, and a token that is used twice.
    github.world().switch_on("/user", Fault::Status(500), 3);
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
    assert!(trace.contains("TRACE"), "the log has every level");
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
