//! Partitions.
use super::*;

#[tokio::test]
async fn partitions_are_made_ahead_and_none_in_use_is_dropped() {
    let world = world().await;
    let run = world.new_run();
    world.queue(&run).await;
    store::maintenance::ensure_partitions(&world.pool)
        .await
        .unwrap();
    store::maintenance::ensure_partitions(&world.pool)
        .await
        .unwrap();
    let dropped = store::maintenance::drop_old_partitions(&world.pool).await;
    assert!(dropped.unwrap().is_empty());
    assert_eq!(world.run(run.id).await.id, run.id);
    let partitions: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'runs.runs'::regclass",
    )
    .fetch_one(&world.owner)
    .await
    .unwrap();
    assert!(
        partitions >= 4,
        "the default, this month and two ahead: {partitions}"
    );
}

#[tokio::test]
async fn a_partition_whose_retention_is_over_is_dropped() {
    let world = world().await;
    world
        .change(
            "CREATE TABLE runs.runs_202001 PARTITION OF runs.runs
             FOR VALUES FROM ('016f5e66-e800-7000-8000-000000000000') TO ('016ffe0c-2c00-7000-8000-000000000000')",
        )
        .await;
    let dropped = store::maintenance::drop_old_partitions(&world.pool)
        .await
        .unwrap();
    assert!(
        dropped.iter().any(|name| name.contains("runs_202001")),
        "{dropped:?}"
    );
}
