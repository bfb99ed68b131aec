//! Wake-ups arrive, and a reconnection is reported.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use ck8s_db::{
    listen::{Listener, Wake},
    test::TestDb,
};

#[tokio::test]
async fn a_lost_connection_is_made_again_and_reported() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    let mut listener = Listener::connect(db.url(), &["ck8s_one", "ck8s_two"])
        .await
        .unwrap();
    let send = || async {
        sqlx::query!("SELECT pg_notify('ck8s_two', 'hello')")
            .fetch_all(&owner)
            .await
            .unwrap();
    };
    let hello = Wake::Notified {
        channel: "ck8s_two".to_owned(),
        payload: "hello".to_owned(),
    };
    send().await;
    assert_eq!(listener.next().await, hello);
    sqlx::query!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ck8s_listener' AND datname = current_database()"
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    assert_eq!(listener.next().await, Wake::Reconnected);
    send().await;
    assert_eq!(listener.next().await, hello);
}
