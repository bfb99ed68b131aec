//! The store on a real database: what its statements do that no call shows.
use ck8s_db::{ServiceRole, test::TestDb};
use ck8s_types::{ProjectId, RepositoryId, RunId};
use sqlx::{PgConnection, PgPool};
use time::Duration;

use super::{credentials, pending_changes, reports, repositories};
use crate::{
    domain::{
        report::{EventCursor, RunReport},
        repository::{BranchSource, NewRepository},
    },
    error::Error,
};

async fn add_repository(owner: &PgPool, conn: &mut PgConnection) -> RepositoryId {
    let (id, project_id) = (RepositoryId::new(), ProjectId::new());
    sqlx::query("INSERT INTO auth.projects (id, slug, name) VALUES ($1, 'shop', 'Shop')")
        .bind(project_id.uuid())
        .execute(owner)
        .await
        .expect("a project");
    let new = NewRepository {
        id,
        project_id,
        external_id: "1",
        full_name: "acme/app",
        default_branch: "main",
        branch_source: BranchSource::Provider,
        services_text: "",
        services_path: None,
    };
    repositories::insert(conn, &new)
        .await
        .expect("a repository");
    id
}

async fn set_credential(conn: &mut PgConnection, repository: RepositoryId) {
    let credential = credentials::SealedCredential {
        app: None,
        sealed: ck8s_sealing::Sealed {
            key_id: "k".to_owned(),
            bytes: vec![0],
        },
    };
    credentials::put(conn, repository, &credential)
        .await
        .expect("a credential");
}

#[tokio::test]
async fn a_pending_change_of_an_unknown_kind_is_an_error() {
    let db = TestDb::new().await;
    let (owner, pool) = (db.owner().await, db.pool(ServiceRole::Repositories).await);
    let mut conn = pool.acquire().await.expect("a connection");
    let id = add_repository(&owner, &mut conn).await;
    assert_eq!(
        pending_changes::get(&mut conn, id).await.expect("reads"),
        None
    );
    for statement in [
        "ALTER TABLE repositories.works DROP CONSTRAINT works_kind_check",
        "INSERT INTO repositories.works (repository_id, kind, hook_url)
         SELECT id, 'transfer', 'http://x' FROM repositories.repositories",
    ] {
        sqlx::query(statement)
            .execute(&owner)
            .await
            .expect(statement);
    }
    let pending = pending_changes::get(&mut conn, id).await;
    assert!(
        matches!(&pending, Err(Error::UnknownChangeKind(kind)) if kind == "transfer"),
        "{pending:?}"
    );
}

#[tokio::test]
async fn a_rest_is_of_one_credential_of_a_repository() {
    let db = TestDb::new().await;
    let (owner, pool) = (db.owner().await, db.pool(ServiceRole::Repositories).await);
    let mut conn = pool.acquire().await.expect("a connection");
    let id = add_repository(&owner, &mut conn).await;
    set_credential(&mut conn, id).await;
    let report = RunReport {
        run: RunId::new(),
        repository: id,
        trigger: "build",
        commit: None,
        thread: Some(1),
        state: "pending",
    };
    reports::request(&mut conn, &report).await.expect("is due");
    let due = reports::due(&mut conn, &[], &[], 10).await.expect("reads");
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].id, id);
    let busy = reports::due(&mut conn, &[id], &[], 10).await;
    assert!(busy.expect("reads").is_empty());
    let resting = reports::due(&mut conn, &[], &due, 10).await;
    assert!(resting.expect("reads").is_empty());
    set_credential(&mut conn, id).await;
    let again = reports::due(&mut conn, &[], &due, 10).await.expect("reads");
    assert_eq!(again.len(), 1, "another credential does not rest");
    assert!(again[0].credential_set_at - due[0].credential_set_at > Duration::ZERO);
}

#[tokio::test]
async fn events_are_read_on_after_a_restore_into_another_cluster() {
    let db = TestDb::new().await;
    let (owner, pool) = (db.owner().await, db.pool(ServiceRole::Repositories).await);
    let mut conn = pool.acquire().await.expect("a connection");
    reports::cursor(&mut conn).await.expect("a cursor");
    // The dump ends further than the other cluster has counted.
    let end_of_dump = EventCursor {
        xact: 1_000_000_000_000,
        seq: i64::MAX,
    };
    reports::advance(&mut conn, end_of_dump)
        .await
        .expect("it moves");
    sqlx::query("UPDATE audit.clusters SET system_identifier = 1")
        .execute(&owner)
        .await
        .expect("as if it came from elsewhere");
    assert!(ck8s_db::adopt_cluster(db.url()).await.expect("it adopts"));
    sqlx::query("INSERT INTO audit.flow_events (kind, actor) VALUES ('run.created', 'x')")
        .execute(&owner)
        .await
        .expect("an event");
    let cursor = reports::cursor(&mut conn).await.expect("a cursor");
    // Events wait for the transactions of other tests.
    while reports::events(&mut conn, cursor, 10)
        .await
        .expect("it reads")
        .is_empty()
    {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
