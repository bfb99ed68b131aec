//! `ck8s migrate` and `ck8s serve` on a given database: what is refused in words, and two replicas.
use std::{fs, net::TcpListener, process::Command};

use crate::process::{Running, ck8s, get, says};
use ck8s_db::test::TestDb;

pub(crate) fn serve(database: &str) -> Command {
    let mut command = ck8s();
    command
        .args(["serve", "--role", "all"])
        .env("CK8S_DATABASE_URL", database)
        .env(
            "CK8S_KEY_RING",
            "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        )
        .env("CK8S_RUN_TOKEN_KEY", "00".repeat(32));
    command
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_goes_up_and_down_and_is_verified() {
    let db = TestDb::empty().await;
    let on = |args: &[&str]| {
        let output = ck8s()
            .arg("migrate")
            .args(args)
            .env("DATABASE_URL", db.url())
            .output()
            .unwrap();
        let text =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.success(), text)
    };
    let (good, text) = on(&["verify"]);
    assert!(
        !good && text.contains("create schemas is pending"),
        "{text}"
    );
    let (good, text) = on(&["up"]);
    assert!(good && text.contains("applied 20261123000001"), "{text}");
    assert_eq!(on(&["up"]), (true, "nothing to apply\n".to_owned()));
    assert!(on(&["verify"]).0);
    let (good, text) = on(&["status"]);
    assert!(
        good && text.lines().all(|line| line.starts_with("applied ")),
        "{text}"
    );
    let (good, text) = on(&["down", "1"]);
    assert!(good && text.starts_with("reverted "), "{text}");
    assert!(!on(&["verify"]).0);

    let (good, text) = says(&["migrate", "status"]);
    assert!(!good && text.contains("CK8S_DATABASE_URL"), "{text}");

    let output = serve(db.url()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && text.contains("run `ck8s migrate up` first"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_served_is_refused_in_a_sentence() {
    let refusal = |role: &str| says(&["serve", "--role", role]);
    let (good, text) = refusal("runs");
    assert!(
        !good
            && text.contains("role runs calls repositories")
            && text.contains("CK8S_PEER_REPOSITORIES"),
        "{text}"
    );
    let (good, text) = refusal("lease");
    assert!(!good && text.contains("there is no role"), "{text}");
    let (good, text) = refusal("all");
    assert!(!good && text.contains("which database?"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_serve_one_database_and_stop_cleanly() {
    let db = TestDb::new().await;
    let home = tempfile::tempdir().unwrap();
    let mut replicas: Vec<(Running, String, String)> = (0..2)
        .map(|n| {
            let (public, private) = (free_port(), free_port());
            let mut command = serve(db.url());
            command.env("CK8S_LISTEN", format!("127.0.0.1:{public}"));
            command.env("CK8S_ADMIN_LISTEN", format!("127.0.0.1:{private}"));
            let running = Running::start(command, &home.path().join(n.to_string()));
            (
                running,
                format!("http://127.0.0.1:{public}"),
                format!("http://127.0.0.1:{private}"),
            )
        })
        .collect();
    tokio::task::spawn_blocking(move || {
        for (running, public, private) in &mut replicas {
            running.until("readiness", || {
                get(&format!("{public}/readyz")).filter(|answer| answer.0 == 200)
            });
            assert_eq!(get(&format!("{private}/healthz")).unwrap().0, 200);
            assert_eq!(get(&format!("{private}/metrics")).unwrap().0, 200);
        }
        for (running, ..) in &mut replicas {
            running.signal("-TERM");
        }
        for (running, ..) in &mut replicas {
            assert!(running.wait().success(), "{}", running.log());
            let log = fs::read_to_string(&running.stderr).unwrap();
            assert!(
                log.lines().all(|line| line.starts_with('{')),
                "logs are JSON: {log}"
            );
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_gets_its_first_admin_and_the_token_is_good() {
    let db = TestDb::new().await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("token");
    let ensure = |text: &str| {
        fs::write(&file, text).unwrap();
        let output = ck8s()
            .args(["admin", "ensure", "--name", "first", "--token-file"])
            .arg(&file)
            .env("DATABASE_URL", db.url())
            .output()
            .unwrap();
        let said =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(text.is_empty() || !said.contains(text.trim()), "{said}");
        (output.status.success(), said)
    };
    let (good, said) = ensure("ck8s_adm_guessable");
    assert!(!good && said.contains("43 random characters"), "{said}");
    let token = format!("ck8s_adm_{}\n", "7f".repeat(32));
    let (good, said) = ensure(&token);
    assert!(good && said.contains("is made"), "{said}");
    let (good, said) = ensure(&token);
    assert!(good && said.contains("is there already"), "{said}");

    let port = free_port();
    let mut command = serve(db.url());
    command.env("CK8S_LISTEN", format!("127.0.0.1:{port}"));
    let mut server = Running::start(command, &home.path().join("log"));
    let url = format!("http://127.0.0.1:{port}");
    tokio::task::spawn_blocking(move || {
        server.until("readiness", || {
            get(&format!("{url}/readyz")).filter(|answer| answer.0 == 200)
        });
        let output = ck8s()
            .args(["whoami", "--url", &url])
            .env("CK8S_TOKEN", token.trim())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && said.contains("first"), "{said}");
    })
    .await
    .unwrap();
}
