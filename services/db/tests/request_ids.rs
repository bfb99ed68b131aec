//! Request ids: a repeated call gets the first response, another request with the same id is refused.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use ck8s_db::{
    ServiceRole,
    request_ids::{Claim, Fingerprint, RequestError, RequestKey, Requests},
    test::TestDb,
};
use ck8s_types::{RequestId, RunId};
use sqlx::{AssertSqlSafe, PgPool};

fn answered(response: &[u8]) -> Claim {
    Claim::Answered(response.to_vec())
}

/// Makes a call in a transaction of its own, that answers with `response` if it is the first.
async fn call(
    pool: &PgPool,
    requests: Requests,
    key: &RequestKey,
    response: &[u8],
) -> Result<Claim, RequestError> {
    let mut tx = pool.begin().await.unwrap();
    let claim = requests.claim(&mut tx, key).await?;
    if claim == Claim::First {
        requests.answer(&mut tx, key, response).await.unwrap();
    }
    tx.commit().await.unwrap();
    Ok(claim)
}

#[tokio::test]
async fn a_repeated_call_gets_the_first_response_in_every_schema() {
    let db = TestDb::new().await;
    for &role in ServiceRole::ALL {
        let (pool, requests) = (db.pool(role).await, Requests::of(role));
        let key = RequestKey::new(RequestId::new(), "CancelRun", b"run A");
        let mut conn = pool.acquire().await.unwrap();
        assert_eq!(requests.find_response(&mut conn, &key).await.unwrap(), None);
        assert_eq!(
            call(&pool, requests, &key, b"one").await.unwrap(),
            Claim::First
        );
        assert_eq!(
            call(&pool, requests, &key, b"two").await.unwrap(),
            answered(b"one")
        );
        let found = requests.find_response(&mut conn, &key).await.unwrap();
        assert_eq!(found.as_deref(), Some(&b"one"[..]));
    }
}

#[tokio::test]
async fn an_id_that_is_used_for_another_request_is_refused_in_every_schema() {
    let db = TestDb::new().await;
    for &role in ServiceRole::ALL {
        let (pool, requests) = (db.pool(role).await, Requests::of(role));
        let id = RequestId::new();
        let key = RequestKey::new(id, "CancelRun", b"run A");
        call(&pool, requests, &key, b"one").await.unwrap();
        for other in [
            RequestKey::new(id, "CancelRun", b"run B"),
            RequestKey::new(id, "RetryRun", b"run A"),
            RequestKey::with_fingerprint(id, "RetryRun", key.fingerprint.clone()),
        ] {
            for _ in 0..2 {
                let error = call(&pool, requests, &other, b"two").await.unwrap_err();
                assert!(
                    matches!(error, RequestError::Reused(reused) if reused == id),
                    "{error}"
                );
            }
            let mut conn = pool.acquire().await.unwrap();
            assert!(requests.find_response(&mut conn, &other).await.is_err());
        }
        assert_eq!(
            call(&pool, requests, &key, b"two").await.unwrap(),
            answered(b"one")
        );
    }
}

#[tokio::test]
async fn calls_at_once_wait_for_the_first_one() {
    let db = TestDb::new().await;
    let pool = db.pool(ServiceRole::Runs).await;
    let requests = Requests::of(ServiceRole::Runs);
    let key = RequestKey::new(RequestId::new(), "CancelRun", b"run A");
    let mut first = pool.begin().await.unwrap();
    assert_eq!(
        requests.claim(&mut first, &key).await.unwrap(),
        Claim::First
    );
    let second = tokio::spawn({
        let (pool, key) = (pool.clone(), key.clone());
        async move { call(&pool, requests, &key, b"two").await.unwrap() }
    });
    waits_for_a_lock(&db.owner().await).await;
    requests.answer(&mut first, &key, b"one").await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), answered(b"one"));
}

#[tokio::test]
async fn a_call_that_is_rolled_back_leaves_its_id_to_the_next() {
    let db = TestDb::new().await;
    let pool = db.pool(ServiceRole::Auth).await;
    let requests = Requests::of(ServiceRole::Auth);
    let key = RequestKey::new(RequestId::new(), "CreateProject", b"a");
    let mut tx = pool.begin().await.unwrap();
    assert_eq!(requests.claim(&mut tx, &key).await.unwrap(), Claim::First);
    tx.rollback().await.unwrap();
    let other = RequestKey::new(key.id, "CreateProject", b"b");
    assert_eq!(
        call(&pool, requests, &other, b"b").await.unwrap(),
        Claim::First
    );
}

#[tokio::test]
async fn a_call_without_an_id_is_always_the_first() {
    let db = TestDb::new().await;
    let mut conn = db.pool(ServiceRole::Ingress).await.acquire().await.unwrap();
    let requests = Requests::of(ServiceRole::Ingress);
    for _ in 0..2 {
        assert_eq!(requests.claim(&mut conn, None).await.unwrap(), Claim::First);
        requests.answer(&mut conn, None, b"x").await.unwrap();
        assert_eq!(requests.find_response(&mut conn, None).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_keyed_fingerprint_is_recognised_after_a_rotation() {
    let db = TestDb::new().await;
    let pool = db.pool(ServiceRole::Repositories).await;
    let requests = Requests::of(ServiceRole::Repositories);
    let id = RequestId::new();
    let key = |fingerprint| RequestKey::with_fingerprint(id, "SetSecret", fingerprint);
    let before = key(Fingerprint::keyed([1; 32], vec![]));
    call(&pool, requests, &before, b"one").await.unwrap();
    let after = key(Fingerprint::keyed([2; 32], vec![[1; 32]]));
    assert_eq!(
        call(&pool, requests, &after, b"two").await.unwrap(),
        answered(b"one")
    );
    let other = key(Fingerprint::keyed([2; 32], vec![[3; 32]]));
    assert!(call(&pool, requests, &other, b"two").await.is_err());
}

#[tokio::test]
async fn rows_of_an_older_program_are_compared_by_their_method() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    let (id, run) = (RequestId::new(), RunId::new());
    for statement in [
        format!(
            "INSERT INTO auth.requests (request_id, method, response) VALUES ('{id}', 'M', 'x')"
        ),
        format!(
            "INSERT INTO runs.requests (request_id, method, run_id) VALUES ('{id}', 'M', '{run}')"
        ),
    ] {
        execute(&owner, statement).await;
    }
    let key = RequestKey::new(id, "M", b"any");
    let other = RequestKey::new(id, "Other", b"any");
    for (role, response) in [
        (ServiceRole::Auth, &b"x"[..]),
        (ServiceRole::Runs, run.uuid().as_bytes()),
    ] {
        let (pool, requests) = (db.pool(role).await, Requests::of(role));
        assert_eq!(
            call(&pool, requests, &key, b"two").await.unwrap(),
            answered(response)
        );
        assert!(call(&pool, requests, &other, b"two").await.is_err());
    }
}

#[tokio::test]
async fn requests_of_more_than_a_week_ago_are_forgotten() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    for &role in ServiceRole::ALL {
        let (pool, requests) = (db.pool(role).await, Requests::of(role));
        let old = RequestKey::new(RequestId::new(), "M", b"old");
        let fresh = RequestKey::new(RequestId::new(), "M", b"fresh");
        call(&pool, requests, &old, b"one").await.unwrap();
        call(&pool, requests, &fresh, b"one").await.unwrap();
        let schema = role.as_str().trim_start_matches("ck8s_");
        execute(
            &owner,
            format!(
                "UPDATE {schema}.requests SET created_at = now() - interval '8 days' WHERE request_id = '{}'",
                old.id
            ),
        )
        .await;
        let mut conn = pool.acquire().await.unwrap();
        assert_eq!(requests.sweep(&mut conn).await.unwrap(), 1);
        assert_eq!(
            call(&pool, requests, &old, b"two").await.unwrap(),
            Claim::First
        );
        assert_eq!(
            call(&pool, requests, &fresh, b"two").await.unwrap(),
            answered(b"one")
        );
    }
}

async fn execute(pool: &PgPool, statement: String) {
    sqlx::query(AssertSqlSafe(statement))
        .execute(pool)
        .await
        .unwrap();
}

/// Waits until a transaction of this database waits for another one.
async fn waits_for_a_lock(owner: &PgPool) {
    loop {
        let waits: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .fetch_one(owner)
        .await
        .unwrap();
        if waits {
            return;
        }
        tokio::task::yield_now().await;
    }
}
