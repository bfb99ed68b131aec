//! Pages of deliveries.
use ck8s_rpc::project_access::Scope;
use uuid::Uuid;

use super::{super::deliveries, world};
use crate::domain::delivery::{DeliveryFilter, DeliveryState, NewDelivery};

#[tokio::test]
async fn pages_are_newest_first_and_filtered() {
    let world = world().await;
    let rows: Vec<NewDelivery> = (0..5)
        .map(|n| {
            world.delivery(
                &n.to_string(),
                if n % 2 == 0 {
                    DeliveryState::RunCreated
                } else {
                    DeliveryState::Ignored
                },
            )
        })
        .collect();
    let (ids, _) = world.insert(&rows).await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    let of = |scope| DeliveryFilter {
        scope,
        repository_id: None,
        state: None,
    };
    let (own, other) = (world.project, Uuid::now_v7().into());
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
        let ignored = DeliveryFilter {
            state: Some(DeliveryState::Ignored),
            repository_id: Some(world.repository),
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
