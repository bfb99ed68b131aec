//! What lies in the database, beneath the contract: live leases, people, flow events, and whether a secret has got in
//! anywhere.
use sqlx::{AssertSqlSafe, PgPool, Row};
use uuid::Uuid;

/// Returns the number of live leases.
pub async fn leases(owner: &PgPool) -> i64 {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM runs.leases"#)
        .fetch_one(owner)
        .await
        .expect("the database answers")
}

/// Returns the number of runs that wait.
pub async fn queued(owner: &PgPool) -> i64 {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM runs.queue"#)
        .fetch_one(owner)
        .await
        .expect("the database answers")
}

/// Adds an address to the allow-list and returns the user's id.
pub async fn allow(owner: &PgPool, email: &str, platform_admin: bool) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO auth.users (id, email, platform_admin) VALUES ($1, $2, $3)",
        id,
        email,
        platform_admin
    )
    .execute(owner)
    .await
    .expect("the user is new");
    id
}

/// Makes a user a member of the project with this slug.
pub async fn join(owner: &PgPool, user: Uuid, project: &str, role: &str) {
    let joined = sqlx::query!(
        "INSERT INTO auth.members (project_id, user_id, role) SELECT id, $1, $3 FROM auth.projects WHERE slug = $2",
        user,
        project,
        role
    )
    .execute(owner)
    .await
    .expect("the member is new");
    assert_eq!(joined.rows_affected(), 1, "there is such a project");
}

/// Returns the actor and message of each flow event of a kind, oldest first.
pub async fn flow_events(owner: &PgPool, kind: &str) -> Vec<(String, String)> {
    sqlx::query!(
        "SELECT actor, message FROM audit.flow_events WHERE kind = $1 ORDER BY xact, seq",
        kind
    )
    .fetch_all(owner)
    .await
    .expect("the database answers")
    .into_iter()
    .map(|event| (event.actor, event.message))
    .collect()
}

/// Leases a waiting run to a worker, as a claim whose commit succeeded and whose acknowledgement was lost.
pub async fn lease_unseen(owner: &PgPool, run: &str, worker: &str, slot: i32) {
    let run: Uuid = run.parse().expect("a run's id");
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

/// Returns the tables in which a text occurs, in the clear or as the hexadecimal digits of a bytea.
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
        // Names from the catalogue cannot be parameters.
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
