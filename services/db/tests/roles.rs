//! What the service roles cannot do: change the audit trail, read or write another service's schema.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use ck8s_db::{
    ServiceRole,
    events::{FlowEvent, record},
    is_retryable, is_unavailable,
    test::TestDb,
};
use ck8s_types::EventKind;
use sqlx::{AssertSqlSafe, PgPool};

async fn code(pool: &PgPool, statement: &str) -> String {
    let error = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .execute(pool)
        .await
        .expect_err(statement);
    assert!(!is_retryable(&error) && !is_unavailable(&error));
    let db = error.into_database_error().expect("the server refused it");
    db.code().expect("a code").into_owned()
}

const DENIED: &str = "42501";

#[tokio::test]
async fn the_audit_trail_is_append_only_for_everybody() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    for &role in ServiceRole::ALL {
        let pool = db.pool(role).await;
        let mut tx = pool.begin().await.unwrap();
        let event = |message: &str| FlowEvent {
            kind: EventKind::ServerStarted,
            project_id: None,
            run_id: None,
            actor: role.as_str().to_owned(),
            message: message.to_owned(),
            data: Some(serde_json::json!({"n": 1})),
        };
        record(&mut tx, &[event("one"), event("two")])
            .await
            .unwrap();
        record(&mut tx, &[]).await.unwrap();
        tx.commit().await.unwrap();
        let messages = sqlx::query_scalar!(
            "SELECT message FROM audit.flow_events WHERE actor = $1 ORDER BY xact, seq",
            role.as_str()
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        assert_eq!(messages, ["one", "two"]);
        for who in [&pool, &owner] {
            for statement in [
                "UPDATE audit.flow_events SET message = 'changed'",
                "DELETE FROM audit.flow_events",
                "TRUNCATE audit.flow_events",
            ] {
                assert_eq!(code(who, statement).await, DENIED, "{statement}");
            }
        }
    }
    let kept = sqlx::query_scalar!("SELECT count(*) FROM audit.flow_events")
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(kept, Some(8));
}

#[tokio::test]
async fn a_partition_of_the_audit_trail_is_protected_too() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    let runs = db.pool(ServiceRole::Runs).await;
    let mut conn = runs.acquire().await.unwrap();
    let event = FlowEvent {
        kind: EventKind::ServerStarted,
        project_id: None,
        run_id: None,
        actor: "test".to_owned(),
        message: String::new(),
        data: None,
    };
    record(&mut conn, &[event]).await.unwrap();
    let partition =
        sqlx::query_scalar!(r#"SELECT tableoid::regclass::text AS "name!" FROM audit.flow_events"#)
            .fetch_one(&owner)
            .await
            .unwrap();
    for statement in [
        format!("UPDATE {partition} SET message = 'x'"),
        format!("DELETE FROM {partition}"),
    ] {
        assert_eq!(code(&runs, &statement).await, DENIED);
        assert_eq!(code(&owner, &statement).await, DENIED);
    }
    assert_eq!(code(&runs, &format!("TRUNCATE {partition}")).await, DENIED);
}

#[tokio::test]
async fn a_service_neither_reads_nor_writes_another_schema() {
    let db = TestDb::new().await;
    let tables = [
        (ServiceRole::Auth, "auth.projects"),
        (ServiceRole::Repositories, "repositories.repositories"),
        (ServiceRole::Ingress, "ingress.deliveries"),
        (ServiceRole::Runs, "runs.runs"),
    ];
    for &role in ServiceRole::ALL {
        let pool = db.pool(role).await;
        for (owner, table) in tables {
            let read = format!("SELECT 1 FROM {table}");
            if owner == role {
                sqlx::query(AssertSqlSafe(read))
                    .execute(&pool)
                    .await
                    .unwrap();
                continue;
            }
            for statement in [
                read,
                format!("INSERT INTO {table} DEFAULT VALUES"),
                format!("UPDATE {table} SET id = id"),
                format!("DELETE FROM {table}"),
            ] {
                assert_eq!(
                    code(&pool, &statement).await,
                    DENIED,
                    "{role:?}: {statement}"
                );
            }
        }
        let schema = table_schema(role);
        assert_eq!(
            code(&pool, &format!("CREATE TABLE {schema}.more (id int)")).await,
            DENIED
        );
        assert_eq!(code(&pool, "DROP TABLE audit.flow_events").await, DENIED);
        // RESET ROLE comes back to the role, not to the one who logged in.
        let mut conn = pool.acquire().await.unwrap();
        sqlx::query("RESET ROLE").execute(&mut *conn).await.unwrap();
        let who = sqlx::query_scalar!(r#"SELECT current_user::text AS "who!""#)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        assert_eq!(who, role.as_str());
    }
}

fn table_schema(role: ServiceRole) -> &'static str {
    match role {
        ServiceRole::Auth => "auth",
        ServiceRole::Repositories => "repositories",
        ServiceRole::Ingress => "ingress",
        ServiceRole::Runs => "runs",
    }
}
