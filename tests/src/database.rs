//! What lies in the database, beneath the contract: live leases, and whether a secret has got in anywhere.
use sqlx::{AssertSqlSafe, PgPool, Row};

/// Live leases.
pub async fn leases(owner: &PgPool) -> i64 {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM runs.leases"#)
        .fetch_one(owner)
        .await
        .expect("the database answers")
}

/// Runs that wait.
pub async fn queued(owner: &PgPool) -> i64 {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM runs.queue"#)
        .fetch_one(owner)
        .await
        .expect("the database answers")
}

/// Leases a waiting run to a worker as a claim does whose commit went through and whose acknowledgement was lost.
pub async fn lease_unseen(owner: &PgPool, run: &str, worker: &str, slot: i32) {
    let run: uuid::Uuid = run.parse().expect("a run's id");
    let made = sqlx::query!(
        "WITH q AS (DELETE FROM runs.queue WHERE run_id = $1 RETURNING *)
         INSERT INTO runs.leases (run_id, project_id, slot, pool_id, worker_id, executor_domain, epoch, attempt, max_attempts, rank, seq,
             concurrency_group, start_timeout, run_timeout, deadline)
         SELECT run_id, project_id, $3, pool_id, $2, 'process', epoch, attempt, max_attempts, rank, seq, concurrency_group, start_timeout,
             run_timeout, now() + make_interval(secs => start_timeout + 5)
         FROM q",
        run,
        worker,
        slot,
    )
    .execute(owner)
    .await
    .expect("the lease can be written");
    assert_eq!(made.rows_affected(), 1, "the run waited");
}

/// The tables in which a text occurs, in the clear or as the hexadecimal digits of a bytea.
pub async fn tables_with(owner: &PgPool, text: &str) -> Vec<String> {
    let tables = sqlx::query_scalar!(
        r#"SELECT format('%I.%I', n.nspname, c.relname) AS "name!" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1"#
    )
    .fetch_all(owner)
    .await
    .expect("the database answers");
    assert!(tables.len() > 10, "the schema is there: {tables:?}");
    let mut found = Vec::new();
    for table in tables {
        // A name from the catalogue cannot be a parameter.
        let statement = format!(
            "SELECT EXISTS (SELECT FROM {table} r WHERE strpos(r::text, $1) > 0 OR strpos(r::text, $2) > 0)"
        );
        let row = sqlx::query(AssertSqlSafe(statement))
            .bind(text)
            .bind(hex::encode(text))
            .fetch_one(owner)
            .await;
        if row.expect("the table can be read").get(0) {
            found.push(table);
        }
    }
    found
}
