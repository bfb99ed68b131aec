//! Partitions.
use super::*;

/// Makes what is missing. Returns the tables.
async fn make_missing(world: &World) -> Vec<String> {
    let missing = store::maintenance::missing_partitions(&world.pool)
        .await
        .unwrap();
    for partition in &missing {
        store::maintenance::make_partition(&world.pool, partition)
            .await
            .unwrap();
    }
    missing.into_iter().map(|m| m.table).collect()
}

/// Drops the partitions of the next month, as if nobody had made them.
async fn drop_next_month(world: &World) {
    for table in ["runs.runs", "audit.flow_events"] {
        let drop = format!(
            "DO $$ BEGIN EXECUTE 'DROP TABLE {table}_' || to_char((now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYYMM'); END $$"
        );
        sqlx::query(sqlx::AssertSqlSafe(drop))
            .execute(&world.owner)
            .await
            .unwrap();
    }
}

async fn count(world: &World, from: &'static str) -> i64 {
    sqlx::query_scalar(from)
        .fetch_one(&world.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn partitions_are_made_ahead_and_none_in_use_is_dropped() {
    let world = world().await;
    let run = world.new_run();
    world.queue(&run).await;
    assert!(
        make_missing(&world).await.is_empty(),
        "the migrations made them"
    );
    drop_next_month(&world).await;
    assert_eq!(
        make_missing(&world).await,
        ["audit.flow_events", "runs.runs"]
    );
    assert!(make_missing(&world).await.is_empty());
    let old = store::maintenance::old_partitions(&world.pool).await;
    assert!(old.unwrap().is_empty());
    assert_eq!(world.run(run.id).await.id, run.id);
}

#[tokio::test]
async fn rows_that_came_early_or_late_move_to_their_partition() {
    let world = world().await;
    drop_next_month(&world).await;
    // A run and an event of the next month, and a run of long ago.
    let early = "INSERT INTO runs.runs (id, project_id, trigger, spec)
         SELECT ck8s.uuid_floor(at), id, '{}', '{}' FROM auth.projects, (VALUES (now() + interval '1 month'), (now() - interval '5 months')) t (at)";
    world.change(early).await;
    world
        .change("INSERT INTO audit.flow_events (kind, actor, recorded_at) VALUES ('run.created', 'x', now() + interval '1 month')")
        .await;
    let in_default = "SELECT (SELECT count(*) FROM runs.runs_default) + (SELECT count(*) FROM audit.flow_events_default)";
    assert_eq!(count(&world, in_default).await, 3);
    let made = make_missing(&world).await;
    assert_eq!(made, ["audit.flow_events", "runs.runs", "runs.runs"]);
    assert_eq!(count(&world, in_default).await, 0);
    assert_eq!(count(&world, "SELECT count(*) FROM runs.runs").await, 2);
    // What is append-only is that in its new place, and in the default partition.
    for part in ["audit.flow_events", "audit.flow_events_default"] {
        let guarded = format!(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = '{part}'::regclass AND tgname = 'flow_events_append_only' AND tgenabled = 'O'"
        );
        let guarded: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(guarded))
            .fetch_one(&world.owner)
            .await
            .unwrap();
        assert_eq!(guarded, 1, "{part}");
    }
    let delete = sqlx::query("DELETE FROM audit.flow_events").execute(&world.owner);
    assert!(delete.await.is_err());
    let later = world.new_run();
    world.queue(&later).await;
    assert_eq!(world.run(later.id).await.id, later.id);
}

#[tokio::test]
async fn a_table_that_somebody_reads_for_long_is_given_up_soon_and_stops_no_other() {
    let world = world().await;
    drop_next_month(&world).await;
    let mut backup = world.owner.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM runs.runs_default")
        .execute(&mut *backup)
        .await
        .unwrap();
    let missing = store::maintenance::missing_partitions(&world.pool)
        .await
        .unwrap();
    let mut codes = Vec::new();
    for partition in &missing {
        let made = store::maintenance::make_partition(&world.pool, partition).await;
        let code = made
            .err()
            .and_then(|e| Some(e.as_database_error()?.code()?.into_owned()));
        codes.push((partition.table.as_str(), code));
    }
    let lock_not_available = Some("55P03".to_owned());
    let expected = [
        ("audit.flow_events", None),
        ("runs.runs", lock_not_available),
    ];
    assert_eq!(codes, expected);
    backup.rollback().await.unwrap();
    assert_eq!(make_missing(&world).await, ["runs.runs"]);
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
    let old = store::maintenance::old_partitions(&world.pool)
        .await
        .unwrap();
    assert_eq!(old, ["runs.runs_202001"]);
    for dropped in [true, false] {
        let part = store::maintenance::drop_partition(&world.pool, &old[0]).await;
        assert_eq!(part.unwrap(), dropped);
    }
    let kept = store::maintenance::drop_partition(&world.pool, "auth.users").await;
    assert!(!kept.unwrap(), "that is no old partition");
}
