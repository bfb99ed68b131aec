//! Databases for tests: each test gets its own, migrated, in milliseconds, on one server that all test processes share.
//!
//! The server is `$CK8S_TEST_DATABASE_URL` (a superuser's address) or an embedded one under `target/test-pg`, started
//! by the first process that needs it and left running. A database is copied from a template that is made once for each
//! set of migrations.
mod server;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool};
use uuid::Uuid;

use crate::{ServiceRole, pool::parse};

/// A fresh, migrated database; dropped with this value.
pub struct TestDb {
    server: String,
    name: String,
    url: String,
}

impl TestDb {
    /// Makes one.
    ///
    /// # Panics
    /// When no server can be had: then no test of the caller can run.
    pub async fn new() -> Self {
        let server = server::ready().await;
        let template = template_name();
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs();
        let name = format!(
            "ck8s_t_{seconds}_{}",
            &Uuid::new_v4().simple().to_string()[..12]
        );
        let mut conn = maintenance(&server).await;
        run(
            &mut conn,
            format!("CREATE DATABASE {name} TEMPLATE {template}"),
        )
        .await;
        let _ = conn.close().await;
        let url = with_database(&server, &name);
        Self { server, name, url }
    }

    /// A database that nobody migrated.
    ///
    /// # Panics
    /// When no server can be had.
    pub async fn empty() -> Self {
        let db = Self::new().await;
        let mut conn = maintenance(&db.server).await;
        run(&mut conn, format!("DROP DATABASE {} WITH (FORCE)", db.name)).await;
        run(&mut conn, format!("CREATE DATABASE {}", db.name)).await;
        let _ = conn.close().await;
        db
    }

    /// Its address, as a superuser.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A small pool that acts as a service's role.
    ///
    /// # Panics
    /// When the server is gone.
    pub async fn pool(&self, role: ServiceRole) -> PgPool {
        crate::connect(&self.url, role, 8)
            .await
            .expect("the test server is up")
    }

    /// A small pool that acts as the owner.
    ///
    /// # Panics
    /// When the server is gone.
    pub async fn owner(&self) -> PgPool {
        crate::connect_owner(&self.url)
            .await
            .expect("the test server is up")
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A runtime of its own: the test's may be gone or be this very thread. What fails here is swept an hour later.
        let dropping = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            else {
                return;
            };
            runtime.block_on(async {
                let dropping = async {
                    let mut conn = parse(&server).ok()?.connect().await.ok()?;
                    let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                    conn.execute(AssertSqlSafe(statement)).await.ok()
                };
                let _ = tokio::time::timeout(Duration::from_secs(10), dropping).await;
            });
        });
        let _ = dropping.join();
    }
}

fn template_name() -> String {
    format!("ck8s_template_{}", crate::migrate::fingerprint())
}

async fn maintenance(server: &str) -> PgConnection {
    let options = parse(server).expect("the test server's address is valid");
    options.connect().await.expect("the test server is up")
}

async fn run(conn: &mut PgConnection, statement: String) {
    if let Err(error) = conn.execute(AssertSqlSafe(statement.clone())).await {
        panic!("{statement}: {error}");
    }
}

/// The same server's address with another database.
fn with_database(url: &str, database: &str) -> String {
    let (base, query) = url
        .split_once('?')
        .map_or((url, None), |(base, query)| (base, Some(query)));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..]
        .find('/')
        .map_or(base.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{database}{query}", &base[..end])
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_an_address_is_replaced() {
        assert_eq!(
            with_database("postgres://u:p@h:1/a?host=%2Ftmp", "b"),
            "postgres://u:p@h:1/b?host=%2Ftmp"
        );
        assert_eq!(with_database("postgres://u@h", "b"), "postgres://u@h/b");
    }
}
