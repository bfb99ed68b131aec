//! `ck8s up` for real: a first webhook becomes a run that succeeds; the directory outlives a stop and a kill.
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use crate::process::{Running, ck8s, get, json, says};
use serde_json::Value;

fn up(dir: &Path) -> Running {
    let mut command = ck8s();
    command
        .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.join("data"));
    command.arg("--ready-file").arg(dir.join("ready"));
    Running::start(command, &dir.join("log"))
}

fn ready(server: &mut Running, dir: &Path) -> Value {
    let path = dir.join("ready");
    let ready = server.until("ready file", || json(&path));
    fs::remove_file(path).unwrap();
    ready
}

fn client(dir: &Path, args: &[&str]) -> Value {
    let data = dir.join("data").display().to_string();
    let mut all = args.to_vec();
    all.extend(["--data-dir", &data, "-o", "json"]);
    let (good, text) = says(&all);
    assert!(good, "{args:?}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn postmaster(dir: &Path) -> Option<String> {
    let text = fs::read_to_string(dir.join("data/postgres/data/postmaster.pid")).ok()?;
    text.lines().next().map(str::to_owned)
}

#[test]
fn a_webhook_becomes_a_run_and_the_directory_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // The database's own user must be able to pass through.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).unwrap();

    let mut server = up(dir);
    let first = ready(&mut server, dir);
    let url = first["url"].as_str().unwrap();
    assert_eq!(first["demo_project"], "demo");
    assert_eq!(first["demo_repository"]["full_name"], "demo/demo");
    assert_eq!(first["demo_repository"]["external_id"], 1);
    assert!(
        first["admin_url"]
            .as_str()
            .unwrap()
            .starts_with(&format!("{url}/#link="))
    );
    for secret in [
        "ready.json",
        "admin-token",
        "worker-token",
        "key-ring",
        "webhook-secret",
        "run-token-key",
    ] {
        let mode = fs::metadata(dir.join("data").join(secret))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    for path in ["/healthz", "/readyz", "/version"] {
        assert_eq!(get(&format!("{url}{path}")).unwrap().0, 200, "{path}");
    }

    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/examples/issues.labeled.json"
    );
    client(
        dir,
        &["delivery", "send", "--event", "issues", "--payload", sample],
    );
    let run = server.until("succeeded run", || {
        let runs = client(dir, &["run", "list"]);
        let run = runs.as_array()?.first()?.clone();
        let state = run["state"].as_str()?.to_lowercase();
        assert!(
            !state.contains("failed") && !state.contains("canceled"),
            "{run:#}"
        );
        state.contains("succeeded").then_some(run)
    });

    // The directory is taken.
    let data = dir.join("data").display().to_string();
    let (good, text) = says(&["up", "--listen", "127.0.0.1:0", "--data-dir", &data]);
    assert!(
        !good && text.contains("is in use by another `ck8s up`"),
        "{text}"
    );

    let stopping = Instant::now();
    server.signal("-TERM");
    assert!(server.wait().success(), "{}", server.log());
    assert!(
        stopping.elapsed() < Duration::from_secs(12),
        "{:?}",
        stopping.elapsed()
    );
    assert_eq!(postmaster(dir), None, "the database was stopped");
    assert!(!dir.join("data/ready.json").exists());
    for secret in ["admin_token", "webhook_secret", "database_url"] {
        assert!(
            !server.log().contains(first[secret].as_str().unwrap()),
            "{secret} is in the log"
        );
    }

    let mut server = up(dir);
    let second = ready(&mut server, dir);
    for same in [
        "admin_token",
        "webhook_secret",
        "demo_repository",
        "database_url",
    ] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert_ne!(first["admin_url"], second["admin_url"]);
    assert_eq!(
        client(dir, &["run", "get", run["id"].as_str().unwrap()])["id"],
        run["id"]
    );

    server.signal("-KILL");
    server.wait();
    let left = postmaster(dir).unwrap();
    let mut server = up(dir);
    ready(&mut server, dir);
    assert_ne!(
        postmaster(dir).unwrap(),
        left,
        "the database that was left over was taken over"
    );
    assert_eq!(client(dir, &["run", "list"]).as_array().unwrap().len(), 1);
    server.signal("-INT");
    assert!(server.wait().success(), "{}", server.log());
}

#[test]
fn a_worker_of_its_own_process_joins_and_leaves() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).unwrap();
    let mut command = ck8s();
    command
        .args(["up", "--no-worker", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.join("data"));
    command.arg("--ready-file").arg(dir.join("ready"));
    let mut server = Running::start(command, &dir.join("log"));
    let ready = ready(&mut server, dir);
    assert_eq!(
        client(dir, &["worker", "list"]).as_array().unwrap().len(),
        0
    );

    let mut command = ck8s();
    command.args([
        "worker",
        "--id",
        "node-1",
        "--label",
        "large,ssd",
        "--capacity",
        "3",
        "--url",
        ready["url"].as_str().unwrap(),
    ]);
    command
        .arg("--token-file")
        .arg(dir.join("data/worker-token"));
    command.arg("--work-dir").arg(dir.join("work"));
    let mut worker = Running::start(command, &dir.join("worker-log"));
    let state = |wanted: &'static str| {
        move || {
            let workers = client(dir, &["worker", "list"]);
            let node = workers.as_array()?.first()?.clone();
            assert_eq!(node["id"], "node-1");
            node["state"]
                .as_str()?
                .to_lowercase()
                .ends_with(wanted)
                .then_some(node)
        }
    };
    let node = worker.until("connection", state("_connected"));
    assert_eq!(node["capacity"], 3);
    assert!(
        node["labels"].as_array().unwrap().contains(&"ssd".into()),
        "{node:#}"
    );
    worker.signal("-TERM");
    assert!(worker.wait().success(), "{}", worker.log());
    server.until("disconnection", state("_disconnected"));

    let (good, text) = says(&["worker", "--url", "http://127.0.0.1:1"]);
    assert!(!good && text.contains("no worker's token"), "{text}");
    server.signal("-TERM");
    assert!(server.wait().success(), "{}", server.log());
}
