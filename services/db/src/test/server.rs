//! The one test server: found or started, its template made, under a lock that all test processes take.
use std::{
    env,
    fs::{self, File},
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::OnceCell;

use super::{maintenance, run, template_name, with_database};
use crate::{embedded, migrate, pool::parse};

/// Databases of tests that were killed are dropped when they are this old.
const LEFT_OVER: Duration = Duration::from_secs(3600);

/// The address of the server, once per process; as its superuser.
pub(super) async fn ready() -> String {
    static READY: OnceCell<String> = OnceCell::const_new();
    READY.get_or_init(prepare).await.clone()
}

async fn prepare() -> String {
    let dir = directory();
    fs::create_dir_all(&dir).expect("the target directory can be written");
    let lock = File::create(dir.join("lock")).expect("the target directory can be written");
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
        .await
        .expect("a lock panics never")
        .expect("the lock can be taken");
    let url = match env::var("CK8S_TEST_DATABASE_URL") {
        Ok(url) => url,
        Err(_) => found_or_started(&dir).await,
    };
    let mut conn = maintenance(&url).await;
    let databases = sqlx::query_scalar!("SELECT datname::text FROM pg_database")
        .fetch_all(&mut conn)
        .await
        .expect("the test server answers");
    let databases: Vec<String> = databases.into_iter().flatten().collect();
    sweep(&mut conn, &databases).await;
    let template = template_name();
    if !databases.contains(&template) {
        make_template(&mut conn, &url, &template).await;
    }
    let _ = conn.close().await;
    drop(lock);
    url
}

async fn found_or_started(dir: &std::path::Path) -> String {
    let state = dir.join("url");
    if let Ok(url) = fs::read_to_string(&state)
        && let Ok(options) = parse(&url)
        && options.connect().await.is_ok()
    {
        return url;
    }
    let url = match embedded::start_detached(&dir.join("postgres")).await {
        Ok(url) => url,
        Err(error) => panic!("tests need PostgreSQL: {error}"),
    };
    fs::write(&state, &url).expect("the target directory can be written");
    url
}

/// Made under another name and renamed when whole: a killed test leaves no half template.
async fn make_template(conn: &mut PgConnection, url: &str, template: &str) {
    let half = format!("{template}_half");
    run(conn, format!("DROP DATABASE IF EXISTS {half} WITH (FORCE)")).await;
    run(conn, format!("CREATE DATABASE {half}")).await;
    migrate::up(&with_database(url, &half))
        .await
        .expect("the migrations apply");
    run(conn, format!("ALTER DATABASE {half} RENAME TO {template}")).await;
}

async fn sweep(conn: &mut PgConnection, databases: &[String]) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    for name in databases {
        let made = name
            .strip_prefix("ck8s_t_")
            .and_then(|rest| rest.split('_').next()?.parse().ok());
        if made.is_some_and(|made| now.saturating_sub(Duration::from_secs(made)) > LEFT_OVER) {
            run(conn, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

/// `target/test-pg`, wherever the test's binary was built.
fn directory() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    target.join("test-pg")
}
