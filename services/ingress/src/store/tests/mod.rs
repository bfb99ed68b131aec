//! The statements on a real PostgreSQL, and the world that they run in.
mod insert;
mod page;
mod runs;
mod schedules;
mod waiting;

use std::collections::HashSet;

use ck8s_db::{ServiceRole, test::TestDb};
use ck8s_types::{DeliveryId, ProjectId, RepositoryId, RunId};
use sqlx::PgPool;

use super::{deliveries, waiting as waiting_store};
use crate::domain::{
    delivery::{DeliveryOutcome, DeliveryState, NewDelivery},
    stored_body,
};

struct World {
    // Dropped last: it drops the database.
    pool: PgPool,
    project: ProjectId,
    repository: RepositoryId,
    db: TestDb,
}

async fn world() -> World {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    let (project, repository) = (ProjectId::new(), RepositoryId::new());
    sqlx::query!(
        "INSERT INTO auth.projects (id, slug, name) VALUES ($1, 'shop', 'Shop')",
        project.uuid()
    )
    .execute(&owner)
    .await
    .expect("a project");
    sqlx::query!(
        "INSERT INTO repositories.repositories (id, project_id, provider, external_id, full_name, default_branch)
         VALUES ($1, $2, 'github', '1', 'acme/shop', 'main')",
        repository.uuid(),
        project.uuid(),
    )
    .execute(&owner)
    .await
    .expect("a repository");
    World {
        pool: db.pool(ServiceRole::Ingress).await,
        project,
        repository,
        db,
    }
}

impl World {
    fn delivery(&self, key: &str, state: DeliveryState) -> NewDelivery {
        NewDelivery {
            key: key.to_owned(),
            event: "issues".to_owned(),
            action: "labeled".to_owned(),
            sender: "mona".to_owned(),
            project_id: Some(self.project),
            repository_id: Some(self.repository),
            state,
            reason: if state == DeliveryState::Ignored {
                "no trigger".to_owned()
            } else {
                String::new()
            },
            runs: Vec::new(),
            size_bytes: 2,
            payload: stored_body::compress(b"{}"),
        }
    }

    /// Makes another repository of the same project.
    async fn another_repository(&self) -> RepositoryId {
        let id = RepositoryId::new();
        sqlx::query(
            "INSERT INTO repositories.repositories (id, project_id, provider, external_id, full_name, default_branch)
             VALUES ($1, $2, 'github', '2', 'acme/other', 'main')",
        )
        .bind(id.uuid())
        .bind(self.project.uuid())
        .execute(&self.db.owner().await)
        .await
        .expect("a repository");
        id
    }

    async fn insert(&self, rows: &[NewDelivery]) -> (Vec<DeliveryId>, HashSet<DeliveryId>) {
        let rows: Vec<_> = rows.iter().map(|row| (DeliveryId::new(), row)).collect();
        let mut conn = self.pool.acquire().await.expect("a connection");
        let stored = deliveries::insert(&mut conn, &rows).await.expect("stored");
        (rows.into_iter().map(|(id, _)| id).collect(), stored)
    }

    async fn settle(
        &self,
        id: DeliveryId,
        state: DeliveryState,
        run_id: Option<RunId>,
    ) -> Vec<DeliveryId> {
        let mut conn = self.pool.acquire().await.expect("a connection");
        let outcome = DeliveryOutcome {
            id,
            state,
            reason: "because".to_owned(),
            run_ids: run_id.into_iter().collect(),
        };
        waiting_store::settle(&mut conn, &[outcome])
            .await
            .expect("settled")
    }

    async fn state(&self, id: DeliveryId) -> DeliveryState {
        let mut conn = self.pool.acquire().await.expect("a connection");
        deliveries::get(&mut conn, id)
            .await
            .expect("read")
            .expect("there")
            .state
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM ingress.{table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&self.pool)
            .await
            .expect("counted")
    }
}
