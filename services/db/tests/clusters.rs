//! A database that was restored from a dump into another cluster, whose counter of transactions is behind.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use ck8s_db::{adopt_cluster, test::TestDb};

/// The place of the last event of the dump; no cluster of a test counts that far.
const LAST_OF_DUMP: i64 = 1_000_000_000_000;

#[tokio::test]
async fn what_is_written_after_a_restore_follows_what_was_written_before() {
    let db = TestDb::new().await;
    assert!(
        !adopt_cluster(db.url()).await.unwrap(),
        "nothing was restored"
    );
    let owner = db.owner().await;
    let event = "INSERT INTO audit.flow_events (xact, kind, actor) VALUES ($1, 'run.created', 'x')";
    sqlx::query(event)
        .bind(LAST_OF_DUMP)
        .execute(&owner)
        .await
        .unwrap();
    sqlx::query("UPDATE audit.clusters SET system_identifier = 1")
        .execute(&owner)
        .await
        .unwrap();
    assert!(adopt_cluster(db.url()).await.unwrap());
    assert!(
        !adopt_cluster(db.url()).await.unwrap(),
        "it is known by now"
    );
    sqlx::query("INSERT INTO audit.flow_events (kind, actor) VALUES ('run.leased', 'x')")
        .execute(&owner)
        .await
        .unwrap();
    let kinds: Vec<String> =
        sqlx::query_scalar("SELECT kind FROM audit.flow_events ORDER BY xact, seq")
            .fetch_all(&owner)
            .await
            .unwrap();
    assert_eq!(kinds, ["run.created", "run.leased"]);
    // Partitions of later months count on from there, too.
    sqlx::query("INSERT INTO audit.flow_events (kind, actor, recorded_at) VALUES ('run.running', 'x', now() + interval '1 month')")
        .execute(&owner)
        .await
        .unwrap();
    let last: String = sqlx::query_scalar(
        "SELECT kind FROM audit.flow_events ORDER BY xact DESC, seq DESC LIMIT 1",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(last, "run.running");
}
