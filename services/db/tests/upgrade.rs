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

/// Goes back to the release's schema.
async fn down_to_release(db: &TestDb) {
    let all = migrate::status(db.url()).await.unwrap();
    let newer = all.iter().filter(|m| m.version > RELEASE).count();
    assert!(newer > 0);
    migrate::down(db.url(), newer).await.unwrap();
}

/// Returns the payloads of the deliveries that wait, as the release reads them.
async fn waiting(db: &TestDb) -> Vec<Vec<u8>> {
    let owner = db.owner().await;
    let payloads = sqlx::query_scalar(
        "SELECT payload FROM ingress.inbox JOIN ingress.waiting ON delivery_id = id WHERE state = 'received' AND delivery_key = 'k'",
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    owner.close().await;
    payloads
}

#[tokio::test]
async fn a_delivery_of_the_release_waits_on_through_the_migrations_and_back() {
    let db = TestDb::empty().await;
    migrate::up(db.url()).await.unwrap();
    down_to_release(&db).await;
    let owner = db.owner().await;
    let delivery = "WITH d AS (
             INSERT INTO ingress.deliveries (id, provider, delivery_key, event, state, size_bytes, payload)
             VALUES (ck8s.uuid_floor(now()), 'github', 'k', 'push', 'run_created', 3, 'abc') RETURNING id, provider, delivery_key
         ), k AS (
             INSERT INTO ingress.delivery_keys (provider, delivery_key, delivery_id) SELECT provider, delivery_key, id FROM d
         ) INSERT INTO ingress.waiting (delivery_id) SELECT id FROM d";
    sqlx::query(delivery).execute(&owner).await.unwrap();
    owner.close().await;
    let payload = [b"abc".to_vec()];
    assert_eq!(waiting(&db).await, payload);
    migrate::up(db.url()).await.unwrap();
    assert_eq!(waiting(&db).await, payload, "with this program's schema");
    down_to_release(&db).await;
    assert_eq!(waiting(&db).await, payload, "with the release's own");
}

#[tokio::test]
async fn every_statement_of_the_release_runs_before_and_after_the_migrations() {
    let db = TestDb::new().await;
    assert_eq!(
        refused(&db).await,
        [] as [String; 0],
        "with this program's schema"
    );
    down_to_release(&db).await;
    assert_eq!(
        refused(&db).await,
        [] as [String; 0],
        "with the release's own"
    );
}
