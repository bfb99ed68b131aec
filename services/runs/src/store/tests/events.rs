//! The order of flow events.
use super::*;
use crate::domain::CursorKey;

async fn between(world: &World, after: EventCursor, to: EventCursor) -> Vec<Option<RunId>> {
    let mut conn = world.conn().await;
    let found = store::events::between(&mut conn, after, to, 100)
        .await
        .unwrap();
    found.into_iter().map(|event| event.run).collect()
}

#[tokio::test]
async fn events_come_in_the_order_of_their_transactions() {
    let world = world().await;
    let runs = [world.new_run(), world.new_run()];
    let mut conn = world.conn().await;
    let start = store::events::horizon(&mut conn).await.unwrap();
    for run in &runs {
        world.queue(run).await;
    }
    // The horizon waits for every transaction of the whole server, and so for those of other tests.
    let all = loop {
        let horizon = store::events::horizon(&mut conn).await.unwrap();
        let all = between(&world, start, horizon).await;
        if all.len() == runs.len() {
            break all;
        }
    };
    assert_eq!(all, runs.each_ref().map(|run| Some(run.id)));
}

#[tokio::test]
async fn nothing_appears_behind_the_horizon() {
    let world = world().await;
    let (slow, fast) = (world.new_run(), world.new_run());
    let mut tx = world.pool.begin().await.unwrap();
    let one = std::slice::from_ref(&slow);
    store::new_runs::insert(&mut tx, one, &[None], true)
        .await
        .unwrap();
    world.queue(&fast).await;
    let mut conn = world.conn().await;
    let horizon = store::events::horizon(&mut conn).await.unwrap();
    let early = between(&world, EventCursor::START, horizon).await;
    assert!(early.is_empty(), "an older transaction still writes");
    tx.commit().await.unwrap();
    let later = between(&world, EventCursor::START, horizon).await;
    assert!(later.is_empty(), "what was read stays as it was");
}

#[tokio::test]
async fn the_events_of_a_run_are_read_in_pages() {
    let world = world().await;
    let lease = world.running(1).await;
    let run = lease.lease.run_id;
    let mut conn = world.conn().await;
    let first = store::events::of_run(&mut conn, run, EventCursor::START, 2).await;
    let first = first.unwrap();
    assert_eq!(first.len(), 2);
    let rest = store::events::of_run(&mut conn, run, first[1].cursor, 9).await;
    let kinds: Vec<String> = rest.unwrap().into_iter().map(|e| e.kind).collect();
    assert_eq!(kinds, ["run.running"]);
}

#[tokio::test]
async fn a_cursor_is_too_old_once_there_may_have_been_events_after_it_that_are_gone() {
    let world = world().await;
    let mut conn = world.conn().await;
    let old = EventCursor(1, 0);
    let without_events = store::events::is_kept(&mut conn, old).await;
    assert!(without_events.unwrap(), "nothing was ever dropped");
    world
        .change(
            "INSERT INTO audit.flow_events (kind, actor, message, recorded_at)
             VALUES ('run.created', 'test', '', now() - interval '13 months')",
        )
        .await;
    let before_the_oldest = store::events::is_kept(&mut conn, old).await;
    assert!(!before_the_oldest.unwrap());
    let newest = EventCursor(i64::MAX - 1, 0);
    assert!(store::events::is_kept(&mut conn, newest).await.unwrap());
}

#[tokio::test]
async fn an_old_cursor_is_good_while_the_oldest_event_is_young() {
    let world = world().await;
    world.queue(&world.new_run()).await;
    let mut conn = world.conn().await;
    let old = EventCursor(1, 0);
    assert!(store::events::is_kept(&mut conn, old).await.unwrap());
}

#[tokio::test]
async fn events_after_a_restore_into_another_cluster_are_behind_the_horizon() {
    let world = world().await;
    world
        .change("INSERT INTO audit.flow_events (xact, kind, actor) VALUES (1000000000000, 'run.created', 'x')")
        .await;
    world
        .change("UPDATE audit.clusters SET system_identifier = 1")
        .await;
    let mut conn = world.conn().await;
    let dumped = store::events::horizon(&mut conn).await.unwrap();
    assert!(
        dumped < EventCursor(1_000_000_000_000, 0),
        "as the dump finds it"
    );
    assert!(ck8s_db::adopt_cluster(world._db.url()).await.unwrap());
    let run = world.new_run();
    world.queue(&run).await;
    let from = EventCursor(1_000_000_000_000, i64::MAX);
    // The horizon waits for the transactions of other tests.
    let found = loop {
        let horizon = store::events::horizon(&mut conn).await.unwrap();
        let found = store::events::between(&mut conn, from, horizon, 10)
            .await
            .unwrap();
        if !found.is_empty() {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let kinds: Vec<&str> = found.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["run.created"]);
    let clusters = store::events::clusters(&mut conn).await.unwrap();
    let key = clusters.key(found[0].cursor);
    assert_eq!(clusters.place(&key), Some(found[0].cursor));
    let stale = CursorKey::OfFirst(found[0].cursor.0, 0);
    assert_eq!(
        clusters.place(&stale),
        None,
        "the other cluster went on to there"
    );
}
