//! The statements on a real PostgreSQL.
use std::collections::HashSet;

use ck8s_db::{ServiceRole, test::TestDb};
use ck8s_types::{DeliveryId, RequestId, RunId};
use sqlx::PgPool;
use uuid::Uuid;

use ck8s_rpc::access::Scope;

use super::{
    deliveries::{self, Filter, State},
    inbox::{self, NewDelivery, Outcome},
    requests,
};

struct World {
    // Dropped last: it drops the database.
    pool: PgPool,
    project: Uuid,
    repository: Uuid,
    _db: TestDb,
}

async fn world() -> World {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    let (project, repository) = (Uuid::now_v7(), Uuid::now_v7());
    sqlx::query!(
        "INSERT INTO auth.projects (id, slug, name) VALUES ($1, 'shop', 'Shop')",
        project
    )
    .execute(&owner)
    .await
    .expect("a project");
    sqlx::query!(
        "INSERT INTO repositories.repositories (id, project_id, provider, external_id, full_name, default_branch)
         VALUES ($1, $2, 'github', '1', 'acme/shop', 'main')",
        repository,
        project,
    )
    .execute(&owner)
    .await
    .expect("a repository");
    World {
        pool: db.pool(ServiceRole::Ingress).await,
        project,
        repository,
        _db: db,
    }
}

impl World {
    fn delivery(&self, key: &str, state: State) -> NewDelivery {
        NewDelivery {
            key: key.to_owned(),
            event: "issues".to_owned(),
            action: "labeled".to_owned(),
            sender: "mona".to_owned(),
            project_id: Some(self.project),
            repository_id: Some(self.repository),
            state,
            reason: if state == State::Ignored {
                "no trigger".to_owned()
            } else {
                String::new()
            },
            size_bytes: 2,
            payload: lz4_flex::compress_prepend_size(b"{}"),
        }
    }

    async fn insert(&self, rows: &[NewDelivery]) -> (Vec<DeliveryId>, HashSet<DeliveryId>) {
        let rows: Vec<_> = rows.iter().map(|row| (DeliveryId::new(), row)).collect();
        let mut conn = self.pool.acquire().await.expect("a connection");
        let stored = inbox::insert(&mut conn, &rows).await.expect("stored");
        (rows.into_iter().map(|(id, _)| id).collect(), stored)
    }

    async fn settle(&self, id: DeliveryId, state: State, run_id: Option<RunId>) -> Vec<DeliveryId> {
        let mut conn = self.pool.acquire().await.expect("a connection");
        let outcome = Outcome {
            id,
            state,
            reason: "because".to_owned(),
            run_id,
        };
        inbox::settle(&mut conn, &[outcome]).await.expect("settled")
    }

    async fn state(&self, id: DeliveryId) -> State {
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

#[tokio::test]
async fn a_batch_is_stored_once_whatever_is_in_it_twice() {
    let world = world().await;
    let rows = [
        world.delivery("a", State::RunCreated),
        world.delivery("a", State::RunCreated),
        world.delivery("b", State::Ignored),
    ];
    let (ids, stored) = world.insert(&rows).await;
    assert_eq!(stored.len(), 2);
    assert!(stored.contains(&ids[2]) && stored.contains(&ids[0]) != stored.contains(&ids[1]));
    let (again, stored) = world
        .insert(&[
            world.delivery("b", State::Ignored),
            world.delivery("c", State::RunCreated),
        ])
        .await;
    assert_eq!(stored, HashSet::from([again[1]]));
    assert_eq!(
        (
            world.count("deliveries").await,
            world.count("delivery_keys").await
        ),
        (3, 3)
    );

    let mut conn = world.pool.acquire().await.expect("a connection");
    let ignored = deliveries::get(&mut conn, ids[2])
        .await
        .expect("read")
        .expect("there");
    assert_eq!(
        (ignored.state, ignored.reason.as_str()),
        (State::Ignored, "no trigger")
    );
    assert!(ignored.handled_at.is_some() && ignored.size_bytes == 2);
    assert_eq!(
        deliveries::id_of_key(&mut conn, "b").await.expect("read"),
        Some(ids[2])
    );
    assert_eq!(
        deliveries::id_of_key(&mut conn, "z").await.expect("read"),
        None
    );
}

#[tokio::test]
async fn the_same_keys_from_many_sides_are_stored_once() {
    let world = world().await;
    let rows: Vec<NewDelivery> = (0..50)
        .map(|n| world.delivery(&format!("k{n:02}"), State::RunCreated))
        .collect();
    let stored = futures::future::join_all((0..6).map(|_| world.insert(&rows))).await;
    assert_eq!(
        stored.iter().map(|(_, stored)| stored.len()).sum::<usize>(),
        50
    );
    assert_eq!(world.count("deliveries").await, 50);
}

#[tokio::test]
async fn a_bad_row_takes_its_statement_with_it_and_nothing_else() {
    let world = world().await;
    let mut bad = world.delivery("bad", State::RunCreated);
    bad.sender = "a\0b".to_owned();
    let mut conn = world.pool.acquire().await.expect("a connection");
    let good = world.delivery("good", State::RunCreated);
    let rows = [(DeliveryId::new(), &bad), (DeliveryId::new(), &good)];
    assert!(inbox::insert(&mut conn, &rows).await.is_err());
    assert_eq!(
        (
            world.count("deliveries").await,
            world.count("delivery_keys").await
        ),
        (0, 0)
    );
    inbox::insert(&mut conn, &rows[1..])
        .await
        .expect("the good one alone");
}

#[tokio::test]
async fn an_outcome_is_written_once() {
    let world = world().await;
    let (ids, _) = world
        .insert(&[world.delivery("a", State::RunCreated)])
        .await;
    let run = RunId::of_delivery(ids[0]);
    assert_eq!(world.state(ids[0]).await, State::Received);
    assert_eq!(
        world.settle(ids[0], State::RunCreated, Some(run)).await,
        ids
    );
    assert!(world.settle(ids[0], State::Failed, None).await.is_empty());
    let mut conn = world.pool.acquire().await.expect("a connection");
    let delivery = deliveries::get(&mut conn, ids[0])
        .await
        .expect("read")
        .expect("there");
    assert_eq!(
        (delivery.state, delivery.run_id),
        (State::RunCreated, Some(run))
    );
    assert!(
        inbox::settle(&mut conn, &[])
            .await
            .expect("nothing")
            .is_empty()
    );
}

#[tokio::test]
async fn only_what_failed_is_revived_by_coming_again() {
    let world = world().await;
    let rows = ["failed", "made", "waits"].map(|key| world.delivery(key, State::RunCreated));
    let (ids, _) = world.insert(&rows).await;
    world.settle(ids[0], State::Failed, None).await;
    world
        .settle(ids[1], State::RunCreated, Some(RunId::new()))
        .await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    let revived = inbox::revive_failed(&mut conn, &["failed", "made", "waits", "unknown"])
        .await
        .expect("revived");
    assert_eq!(revived, [(ids[0], Some(world.project))]);
    assert_eq!(world.state(ids[0]).await, State::Received);
    assert_eq!(world.state(ids[1]).await, State::RunCreated);
}

#[tokio::test]
async fn what_waits_is_found_in_order_and_with_its_body() {
    let world = world().await;
    let rows = ["a", "b", "c"].map(|key| world.delivery(key, State::RunCreated));
    let (ids, _) = world.insert(&rows).await;
    world.settle(ids[1], State::Ignored, None).await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    let (nil, max) = (Uuid::nil().into(), Uuid::max().into());
    assert_eq!(
        deliveries::waiting_ids(&mut conn, nil, max, 10)
            .await
            .expect("read"),
        [ids[0], ids[2]]
    );
    assert_eq!(
        deliveries::waiting_ids(&mut conn, ids[0], max, 10)
            .await
            .expect("read"),
        [ids[2]]
    );
    assert_eq!(
        deliveries::waiting_ids(&mut conn, nil, ids[2], 10)
            .await
            .expect("read"),
        [ids[0]]
    );
    let waiting = deliveries::waiting(&mut conn, &ids, 1_000)
        .await
        .expect("read");
    assert_eq!(
        waiting.iter().map(|w| w.id).collect::<Vec<_>>(),
        [ids[0], ids[2]]
    );
    let first = deliveries::waiting(&mut conn, &ids, 1).await.expect("read");
    assert_eq!(first.iter().map(|w| w.id).collect::<Vec<_>>(), [ids[0]]);
    assert_eq!(
        crate::rehandle::body_of(&waiting[0].payload).as_deref(),
        Ok(&b"{}"[..])
    );
}

#[tokio::test]
async fn pages_go_back_in_time_and_filter() {
    let world = world().await;
    let rows: Vec<NewDelivery> = (0..5)
        .map(|n| {
            world.delivery(
                &n.to_string(),
                if n % 2 == 0 {
                    State::RunCreated
                } else {
                    State::Ignored
                },
            )
        })
        .collect();
    let (ids, _) = world.insert(&rows).await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    let of = |scope| Filter {
        scope,
        repository_id: None,
        state: None,
    };
    let (own, other) = (world.project.into(), Uuid::now_v7().into());
    for scope in [
        Scope::All,
        Scope::EveryProject,
        Scope::Projects(vec![own]),
        Scope::Projects(vec![other, own]),
    ] {
        let all = of(scope);
        let first = deliveries::page(&mut conn, all.clone(), None, 3)
            .await
            .expect("a page");
        assert_eq!(
            first.iter().map(|d| d.id).collect::<Vec<_>>(),
            [ids[4], ids[3], ids[2]]
        );
        let second = deliveries::page(&mut conn, all.clone(), Some(ids[2]), 3)
            .await
            .expect("a page");
        assert_eq!(
            second.iter().map(|d| d.id).collect::<Vec<_>>(),
            [ids[1], ids[0]]
        );
        let ignored = Filter {
            state: Some(State::Ignored),
            repository_id: Some(world.repository.into()),
            ..all
        };
        assert_eq!(
            deliveries::page(&mut conn, ignored, None, 9)
                .await
                .expect("a page")
                .len(),
            2
        );
    }
    for others in [vec![other], vec![], vec![other, Uuid::now_v7().into()]] {
        let found = deliveries::page(&mut conn, of(Scope::Projects(others)), None, 9).await;
        assert!(found.expect("a page").is_empty());
    }
    sqlx::query("UPDATE ingress.deliveries SET project_id = NULL WHERE id = $1")
        .bind(ids[0].uuid())
        .execute(&world.pool)
        .await
        .expect("no project");
    for (scope, count) in [
        (Scope::All, 5),
        (Scope::EveryProject, 4),
        (Scope::Projects(vec![own, other]), 4),
    ] {
        let found = deliveries::page(&mut conn, of(scope), None, 9).await;
        assert_eq!(found.expect("a page").len(), count);
    }
}

#[tokio::test]
async fn replays_open_what_was_ignored_or_failed_and_take_a_request_once() {
    let world = world().await;
    let (ids, _) = world
        .insert(&[
            world.delivery("a", State::Ignored),
            world.delivery("b", State::RunCreated),
        ])
        .await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    assert!(deliveries::reopen(&mut conn, ids[0]).await.expect("opened"));
    assert!(
        !deliveries::reopen(&mut conn, ids[0])
            .await
            .expect("open already")
    );
    assert!(
        !deliveries::reopen(&mut conn, ids[1])
            .await
            .expect("open already")
    );
    let request = RequestId::new();
    assert!(
        requests::take(&mut conn, request, "M", b"x")
            .await
            .expect("taken")
    );
    assert!(
        !requests::take(&mut conn, request, "M", b"y")
            .await
            .expect("taken before")
    );
    assert_eq!(
        requests::answered(&mut conn, request, "M")
            .await
            .expect("read")
            .as_deref(),
        Some(&b"x"[..])
    );
    assert_eq!(
        requests::answered(&mut conn, request, "Other")
            .await
            .expect("read"),
        None
    );
    assert_eq!(requests::forget(&mut conn).await.expect("tidied"), 0);
    assert_eq!(requests::forget_keys(&mut conn).await.expect("tidied"), 0);
}

#[tokio::test]
async fn what_made_the_run_it_was_stored_with_only_stops_waiting() {
    let world = world().await;
    let rows = ["a", "b"].map(|key| world.delivery(key, State::RunCreated));
    let (ids, _) = world.insert(&rows).await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    let waits = deliveries::get(&mut conn, ids[0])
        .await
        .expect("read")
        .expect("there");
    assert_eq!(
        (waits.state, waits.run_id, waits.handled_at),
        (State::Received, None, None)
    );
    inbox::made(&mut conn, &ids[..1]).await.expect("made");
    let made = deliveries::get(&mut conn, ids[0])
        .await
        .expect("read")
        .expect("there");
    assert_eq!(
        (made.state, made.run_id),
        (State::RunCreated, Some(RunId::of_delivery(ids[0])))
    );
    assert!(made.handled_at.is_some());
    assert_eq!(world.state(ids[1]).await, State::Received);
    assert!(world.settle(ids[0], State::Failed, None).await.is_empty());
}
