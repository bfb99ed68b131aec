//! Sign-in on the command line: a code that is confirmed in a browser, a stored session, and its end.
use std::os::unix::fs::PermissionsExt;

use ck8s_tests::{Account, Api, Browser, Cli, Setup, database, script, until};
use http::header::CONTENT_TYPE;
use reqwest::Method;
use serde_json::json;
use tonic::Code;

use super::{ada, scene, until_refused};

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
    // A person uses the page.
    let mut browser = Browser::new();
    let decided = browser
        .request(Method::POST, &login.page, |request| {
            request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(format!("user_code={}&authorize=1", login.user_code))
        })
        .await;
    assert_eq!(decided.status, 200, "{decided:?}");
    let output = login.end().await;
    assert_eq!(output.status, Some(0), "{output:?}");
    assert_eq!(output.json()["name"], "ada", "{output:?}");
    assert_eq!(output.json()["caller"], "CALLER_PERSON", "{output:?}");

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

    // The access token has expired. Of several commands at once, one refreshes it for all.
    let before = cli.kept();
    cli.age();
    let ask = || cli.run(&["whoami"]);
    let all = tokio::join!(ask(), ask(), ask(), ask());
    for output in [all.0, all.1, all.2, all.3] {
        assert_eq!(output.status, Some(0), "{output:?}");
    }
    let after = cli.kept();
    assert_ne!(before["refresh_token"], after["refresh_token"]);
    assert!(after["access_until"].as_i64() > Some(0), "it is a new one");
    let reused = database::flow_events(&world.owner, "session.reused").await;
    assert!(reused.is_empty(), "{reused:?}");

    let access = after["access_token"].as_str().expect("a token").to_owned();
    let out = cli.run(&["logout"]).await;
    assert_eq!(out.status, Some(0), "{out:?}");
    assert!(cli.kept().is_null(), "it is deleted");
    until_refused(&world, &access).await;
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
        // The first calls refresh too; later refreshes follow the end of a stream.
        for _ in 0..4 {
            last = until("another refresh token", async || {
                let now = cli.kept()["refresh_token"].clone();
                (now != last).then_some(now)
            })
            .await;
        }
        let expected = if signs_out {
            assert_eq!(cli.run(&["logout"]).await.status, Some(0));
            (Some(4), "signed out")
        } else {
            world.admin.cancel(&run).await.expect("is canceled");
            (Some(1), "canceled")
        };
        let ended = watch.wait_with_output().await.expect("it ends");
        let text = [ended.stdout, ended.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(ended.status.code(), expected.0, "{text}");
        assert!(text.contains(expected.1), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_elsewhere_says_what_to_do() {
    let (github, world) = scene(vec![ada()], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let cli = Cli::new(&world.ready.url);
    let login = cli.login(&[]).await;
    assert!(github.world().decide_device(&login.user_code, "ada", true));
    let output = login.end().await;
    assert_eq!(output.status, Some(0), "{output:?}");
    assert!(output.out.contains("member of no project"), "{output:?}");

    // Another machine has a copy of the session: it cannot be used twice.
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
    assert_eq!(spent.status, 401, "only a cookie is accepted: {spent:?}");
    cli.age();
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
        let output = cli.run(&["whoami"]).await;
        (output.status != Some(0)).then_some(output)
    })
    .await;
    assert_eq!(ended.status, Some(4), "{ended:?}");
    assert!(ended.err.contains("ck8s login"), "{ended:?}");
    assert!(cli.kept().is_null(), "an invalid session is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_allowed_person_can_confirm_a_device() {
    let linus = Account::new(9, "linus", "linus@example.test");
    let (github, world) = scene(vec![ada(), linus], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let cli = Cli::new(&world.ready.url);
    for (login, yes) in [("ada", false), ("linus", true)] {
        let waiting = cli.login(&[]).await;
        assert!(github.world().decide_device(&waiting.user_code, login, yes));
        let output = waiting.end().await;
        assert_eq!(output.status, Some(4), "{login}: {output:?}");
        assert_eq!(output.err.trim().lines().count(), 2, "{output:?}");
        assert!(output.err.contains("cannot sign in"), "{output:?}");
    }
    assert!(!cli.credentials().exists());

    // An API token can be stored instead, if the server knows it.
    let bad = cli.home().join("bad");
    std::fs::write(&bad, "ck8s_adm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let bad = bad.to_str().expect("a plain path");
    let output = cli.run(&["login", "--token-file", bad]).await;
    assert_eq!(output.status, Some(4), "{output:?}");
    assert!(!cli.credentials().exists());
    let good = cli.home().join("good");
    std::fs::write(&good, &world.ready.admin_token).unwrap();
    let good = good.to_str().expect("a plain path");
    let output = cli.run(&["login", "--token-file", good]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    let output = cli.run(&["whoami", "-o", "json"]).await;
    assert_eq!(output.json()["caller"], "CALLER_ADMIN", "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_for_what_cannot_be_kept() {
    let (github, world) = scene(vec![ada()], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let cli = Cli::new(&world.ready.url);
    // A link to nowhere in the directory's place: even root cannot write there.
    let place = cli.home().join("ck8s");
    std::os::unix::fs::symlink("/nowhere/ck8s", &place).unwrap();
    let output = cli.run(&["login"]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(output.err.contains("cannot write"), "{output:?}");
    assert!(output.err.contains("XDG_CONFIG_HOME"), "{output:?}");
    assert_eq!(github.world().asked("/login/device/code", 200), 0);

    // A session that cannot be kept is not refreshed: its token would be spent for nothing.
    std::fs::remove_file(&place).unwrap();
    let login = cli.login(&[]).await;
    assert!(github.world().decide_device(&login.user_code, "ada", true));
    assert_eq!(login.end().await.status, Some(0));
    cli.age();
    let kept = cli.kept();
    let lock = cli.credentials().with_file_name("credentials.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let output = cli.run(&["whoami"]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert_eq!(cli.kept(), kept);
    std::fs::remove_dir(&lock).unwrap();
    assert_eq!(cli.run(&["whoami"]).await.status, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_whose_answer_was_lost_does_not_end_the_session() {
    let (github, world) = scene(vec![ada()], Setup::without_worker()).await;
    database::allow(&world.owner, "ada@example.test", false).await;
    let cli = Cli::new(&world.ready.url);
    let login = cli.login(&[]).await;
    assert!(github.world().decide_device(&login.user_code, "ada", true));
    assert_eq!(login.end().await.status, Some(0));
    cli.age();
    // The token is spent, and the answer reaches nobody.
    let request = ck8s_proto::auth::v1::RefreshSessionRequest {
        refresh_token: cli.kept()["refresh_token"].as_str().unwrap().to_owned(),
    };
    let mut auth = Api::anonymous(&world.ready.url).auth();
    let lost = auth.refresh_session(request);
    let lost = lost.await.unwrap().into_inner().session.unwrap();
    assert_eq!(cli.run(&["whoami"]).await.status, Some(0));
    assert_eq!(cli.kept()["refresh_token"], lost.refresh_token);
    assert!(
        database::flow_events(&world.owner, "session.reused")
            .await
            .is_empty()
    );
}
