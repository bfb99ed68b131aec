//! A private server keeps its data over a stop, over a kill of its owner, and over a kill of itself.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use std::{fs, path::Path, process::Command};

use ck8s_db::{
    connect_owner,
    embedded::{Embedded, EmbeddedError, Options},
};
use tempfile::TempDir;

const DURABLE: Options = Options { durable: true };

fn home() -> TempDir {
    tempfile::Builder::new()
        .prefix("ck8s-embedded-")
        .tempdir()
        .unwrap()
}

async fn add(server: &Embedded, n: i32) -> Vec<i32> {
    let pool = connect_owner(&server.url()).await.unwrap();
    sqlx::query("CREATE TABLE IF NOT EXISTS kept (n int)")
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("INSERT INTO kept VALUES ($1)")
        .bind(n)
        .execute(&pool)
        .await
        .unwrap();
    let all = sqlx::query_scalar("SELECT n FROM kept ORDER BY n")
        .fetch_all(&pool)
        .await
        .unwrap();
    pool.close().await;
    all
}

fn postmaster(home: &Path) -> u32 {
    let text = fs::read_to_string(home.join("data/postmaster.pid")).unwrap();
    text.lines().next().unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn data_outlives_a_clean_stop() {
    let home = home();
    let server = Embedded::start(home.path(), DURABLE).await.unwrap();
    assert_eq!(add(&server, 1).await, [1]);
    assert!(matches!(
        Embedded::start(home.path(), DURABLE).await,
        Err(EmbeddedError::InUse(_))
    ));
    let tcp = connect_owner(&server.tcp_url()).await.unwrap();
    let owner = sqlx::query_scalar!(
        r#"SELECT rolsuper AS "is!" FROM pg_roles WHERE rolname = current_user"#
    )
    .fetch_one(&tcp)
    .await
    .unwrap();
    assert!(owner);
    let address = server.tcp_url();
    server.stop().await;
    assert!(!home.path().join("data/postmaster.pid").exists());

    let server = Embedded::start(home.path(), DURABLE).await.unwrap();
    assert_eq!(
        server.tcp_url(),
        address,
        "the address somebody noted stays good"
    );
    assert_eq!(add(&server, 2).await, [1, 2]);
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let home = home();
    let server = Embedded::start(home.path(), DURABLE).await.unwrap();
    let password = fs::read_to_string(home.path().join("password")).unwrap();
    for url in [server.url(), server.tcp_url()] {
        assert!(connect_owner(&url).await.is_ok());
        assert!(
            connect_owner(&url.replace(&password, "wrong"))
                .await
                .is_err()
        );
    }
    server.stop().await;
}

/// Not a test by itself: the process that the next test kills. It says where its server is and waits for its end.
#[tokio::test]
async fn owner_process() {
    let Some(home) = std::env::var_os("CK8S_TEST_OWNER_HOME") else {
        return;
    };
    let server = Embedded::start(Path::new(&home), DURABLE).await.unwrap();
    add(&server, 1).await;
    fs::write(Path::new(&home).join("started"), "").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_owner_s_server_is_taken_over() {
    let home = home();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner_process"])
        .env("CK8S_TEST_OWNER_HOME", home.path())
        .spawn()
        .unwrap();
    while !home.path().join("started").exists() {
        assert!(owner.try_wait().unwrap().is_none(), "the owner ended");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    owner.kill().unwrap(); // SIGKILL
    owner.wait().unwrap();
    let left = postmaster(home.path());
    assert!(Path::new(&format!("/proc/{left}/cwd")).exists() || !Path::new("/proc").exists());

    let server = Embedded::start(home.path(), DURABLE).await.unwrap();
    assert_ne!(postmaster(home.path()), left);
    assert_eq!(server.pid(), postmaster(home.path()));
    assert_eq!(add(&server, 2).await, [1, 2]);

    // And the server itself killed: a stale postmaster.pid stays behind.
    let mut server = server;
    assert!(
        Command::new("kill")
            .args(["-9", &server.pid().to_string()])
            .status()
            .unwrap()
            .success()
    );
    server.wait().await;
    drop(server);
    let server = Embedded::start(home.path(), DURABLE).await.unwrap();
    assert_eq!(add(&server, 3).await, [1, 2, 3]);
    server.stop().await;
}

#[tokio::test]
async fn a_recycled_process_id_is_not_taken_for_the_server() {
    let home = home();
    Embedded::start(home.path(), DURABLE)
        .await
        .unwrap()
        .stop()
        .await;
    let mut innocent = Command::new("sleep").arg("600").spawn().unwrap();
    let note = home.path().join("data/postmaster.pid");
    fs::write(
        &note,
        format!(
            "{}\n{}\n0\n1\n\n\n\n",
            innocent.id(),
            home.path().join("data").display()
        ),
    )
    .unwrap();
    let server = Embedded::start(home.path(), DURABLE).await.unwrap();
    assert_eq!(add(&server, 1).await, [1]);
    assert!(innocent.try_wait().unwrap().is_none(), "it was left alone");
    innocent.kill().unwrap();
    innocent.wait().unwrap();
    server.stop().await;
}
