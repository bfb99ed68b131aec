//! The schema goes up, down and up again, and two at once do it once.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use ck8s_db::{
    migrate::{self, MigrationState, VerifyError},
    test::TestDb,
};

/// What the schema is made of, as text.
async fn shape(db: &TestDb) -> Vec<String> {
    let pool = db.owner().await;
    let shape = sqlx::query_scalar!(
        r#"SELECT concat_ws(' ', n.nspname, c.relname, c.relkind, c.relacl, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull) AS "line!"
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
           WHERE n.nspname IN ('ck8s', 'audit', 'auth', 'repositories', 'ingress', 'runs') ORDER BY 1"#
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    pool.close().await;
    shape
}

#[tokio::test]
async fn up_down_up_gives_the_same_schema() {
    let db = TestDb::empty().await;
    let url = db.url();
    let all = migrate::up(url).await.unwrap();
    assert!(all.len() >= 6, "{all:?}");
    assert!(migrate::up(url).await.unwrap().is_empty());
    let first = shape(&db).await;
    // One by one, so that each down leaves what the one before it expects.
    for version in all.iter().rev() {
        assert_eq!(migrate::down(url, 1).await.unwrap(), [*version]);
    }
    assert!(shape(&db).await.is_empty());
    assert!(migrate::down(url, 3).await.unwrap().is_empty());
    assert_eq!(migrate::up(url).await.unwrap(), all);
    assert_eq!(shape(&db).await, first);
    let mut reversed = all.clone();
    reversed.reverse();
    assert_eq!(migrate::down(url, all.len()).await.unwrap(), reversed);
    assert!(shape(&db).await.is_empty());
}

#[tokio::test]
async fn several_at_once_apply_each_migration_once() {
    let db = TestDb::empty().await;
    let runs = (0..4).map(|_| {
        let url = db.url().to_owned();
        tokio::spawn(async move { migrate::up(&url).await.unwrap() })
    });
    let mut applied = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        applied.extend(run.await.unwrap());
    }
    let known = migrate::status(db.url()).await.unwrap();
    assert_eq!(applied, known.iter().map(|m| m.version).collect::<Vec<_>>());
}

#[tokio::test]
async fn verify_names_what_differs() {
    let db = TestDb::new().await;
    migrate::verify(db.url()).await.unwrap();
    let last = migrate::down(db.url(), 1).await.unwrap()[0];
    let known = migrate::status(db.url()).await.unwrap();
    let description = &known.last().unwrap().description;
    let Err(VerifyError::Differs(differing)) = migrate::verify(db.url()).await else {
        panic!("the last migration is pending");
    };
    assert_eq!(
        (differing[0].version, differing[0].state),
        (last, MigrationState::Pending)
    );
    assert!(migrate::usable(db.url()).await.is_err());
    migrate::up(db.url()).await.unwrap();

    let owner = db.owner().await;
    sqlx::query!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99991231000000, 'of a newer program', true, '', 0)"
    )
    .execute(&owner)
    .await
    .unwrap();
    migrate::usable(db.url()).await.unwrap();
    assert!(migrate::verify(db.url()).await.is_err());
    sqlx::query!(
        "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = $1",
        last
    )
    .execute(&owner)
    .await
    .unwrap();
    assert!(migrate::usable(db.url()).await.is_err());
    let error = migrate::verify(db.url()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("{last} {description} is changed")),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("99991231000000 of a newer program is unknown"),
        "{error}"
    );
}
