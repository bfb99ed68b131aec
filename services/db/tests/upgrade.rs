//! The release and this program on one database: during a rollout, and on the way back.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use ck8s_db::{migrate, test::TestDb};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

/// The last migration of the release of 25 November 2026.
const RELEASE: i64 = 20_261_127_000_001;
/// Every statement of that release's services.
const STATEMENTS: &str = include_str!("release/statements.json");

/// Returns the statements of the release that the database does not take, and why.
async fn refused(db: &TestDb) -> Vec<String> {
    let statements: Vec<String> = serde_json::from_str(STATEMENTS).unwrap();
    assert!(statements.len() > 200);
    let owner = db.owner().await;
    let mut conn = owner.acquire().await.unwrap();
    let mut refused = Vec::new();
    for statement in statements {
        let sql = AssertSqlSafe(statement.clone()).into_sql_str();
        if let Err(error) = (&mut *conn).prepare(sql).await {
            refused.push(format!("{error}: {statement}"));
        }
    }
    drop(conn);
    owner.close().await;
    refused
}

#[tokio::test]
async fn every_statement_of_the_release_runs_before_and_after_the_migrations() {
    let db = TestDb::new().await;
    assert_eq!(
        refused(&db).await,
        [] as [String; 0],
        "with this program's schema"
    );
    let newer = migrate::status(db.url()).await.unwrap();
    let newer = newer.iter().filter(|m| m.version > RELEASE).count();
    assert!(newer > 0);
    migrate::down(db.url(), newer).await.unwrap();
    assert_eq!(
        refused(&db).await,
        [] as [String; 0],
        "with the release's own"
    );
}
