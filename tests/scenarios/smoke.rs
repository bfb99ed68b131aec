//! `ck8s smoke`: its report on an environment that works, and on some that do not.
use std::process::{Output, Stdio};

use ck8s_tests::{Setup, World, database, program::binary, until};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::process::Command;

/// Runs it, and returns its report as JSON and its exit status.
async fn smoke(url: &str, token: &str, more: &[&str]) -> (Option<i32>, Value) {
    let Output { status, stdout, .. } = Command::new(binary())
        .args(["smoke", "--url", url, "-o", "json"])
        .args(more)
        .env_remove("CK8S_URL")
        .env("CK8S_TOKEN", token)
        .output()
        .await
        .expect("the program runs");
    let said = serde_json::from_slice(&stdout).unwrap_or(Value::Null);
    (status.code(), said)
}

/// Returns the names of the checks in this state.
fn checks<'a>(said: &'a Value, state: &str) -> Vec<&'a str> {
    let all = said["checks"].as_array().expect("checks");
    let these = all.iter().filter(|check| check["state"] == state);
    these
        .map(|check| check["name"].as_str().expect("a name"))
        .collect()
}

fn message<'a>(said: &'a Value, name: &str) -> &'a str {
    let all = said["checks"].as_array().expect("checks");
    let check = all.iter().find(|check| check["name"] == name);
    check
        .and_then(|check| check["message"].as_str())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_works_passes_and_nothing_is_left_behind() {
    let world = World::start(Setup::with_worker(4)).await;
    let before = world.admin.repositories_named().await;
    for _ in 0..2 {
        let (status, said) = smoke(&world.ready.url, &world.ready.admin_token, &[]).await;
        assert_eq!(status, Some(0), "{said:#}");
        assert_eq!(said["passed"], true);
        let ok = checks(&said, "ok");
        for name in [
            "health",
            "ready",
            "version",
            "page",
            "stranger",
            "admin",
            "repository",
            "bad_signature",
            "delivery",
            "duplicate",
            "run",
            "log",
            "slot",
            "removal",
        ] {
            assert!(ok.contains(&name), "{name}: {said:#}");
        }
    }
    world.idle().await;
    assert_eq!(world.admin.repositories_named().await, before);
    let slots = world.admin.slots("smoke").await;
    assert!(slots.iter().all(|slot| slot.run_id.is_empty()), "{slots:?}");
    world
        .nowhere(&[("the admin's token", &world.ready.admin_token)])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_the_run_fails_the_check_and_is_canceled() {
    let world = World::start(Setup::without_worker()).await;
    let (url, token) = (&world.ready.url, &world.ready.admin_token);
    let (status, said) = smoke(url, token, &["--timeout", "2s", "--revision", "0000000"]).await;
    assert_eq!(status, Some(1), "{said:#}");
    assert_eq!(said["passed"], false);
    assert_eq!(checks(&said, "failed"), ["version", "run"], "{said:#}");
    assert_eq!(checks(&said, "skipped"), ["log"], "{said:#}");
    assert!(message(&said, "run").contains("worker"), "{said:#}");
    assert!(
        message(&said, "version").contains("not 0000000"),
        "{said:#}"
    );
    world.idle().await;
    let left = world.admin.repositories_named().await;
    assert!(
        left.iter().all(|name| !name.starts_with("smoke/")),
        "{left:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_during_the_checks_leaves_nothing_behind() {
    let world = World::start(Setup::without_worker()).await;
    let smoke = Command::new(binary())
        .args(["smoke", "--url", &world.ready.url, "-o", "json"])
        .env_remove("CK8S_URL")
        .env("CK8S_TOKEN", &world.ready.admin_token)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    until("the run waits", async || {
        (database::queued(&world.owner).await == 1).then_some(())
    })
    .await;
    let pid = i32::try_from(smoke.id().expect("it lives")).expect("a process id fits");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it lives");
    let Output { status, stdout, .. } = smoke.wait_with_output().await.expect("it ends");
    let said = serde_json::from_slice(&stdout).expect("JSON");
    assert_eq!(status.code(), Some(1), "{said:#}");
    // Which check the signal interrupts is not determined.
    assert_eq!(checks(&said, "failed").len(), 1, "{said:#}");
    assert!(checks(&said, "ok").contains(&"removal"), "{said:#}");
    world.idle().await;
    let left = world.admin.repositories_named().await;
    assert!(
        left.iter().all(|name| !name.starts_with("smoke/")),
        "{left:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_rights_and_a_server_that_is_not_there_are_named() {
    let world = World::start(Setup::with_worker(1)).await;
    let (status, said) = smoke(&world.ready.url, &world.worker_token, &[]).await;
    assert_eq!(status, Some(1), "{said:#}");
    assert_eq!(checks(&said, "failed"), ["admin"], "{said:#}");
    assert!(checks(&said, "skipped").contains(&"delivery"), "{said:#}");

    // No server listens on the discard port.
    let (status, said) = smoke("http://127.0.0.1:9", "", &[]).await;
    assert_eq!(status, Some(1), "{said:#}");
    assert_eq!(
        checks(&said, "failed"),
        ["health", "ready", "version", "page", "stranger", "admin"]
    );
}
