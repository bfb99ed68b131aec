//! Runs, as they are read.
use super::*;
use crate::{domain::RunFilter, error::RunsError};

async fn list(world: &World, filter: &RunFilter, before: Option<RunId>, limit: i64) -> Vec<RunId> {
    let mut conn = world.conn().await;
    let found = store::runs::list(&mut conn, filter, before, limit)
        .await
        .unwrap();
    found.into_iter().map(|run| run.id).collect()
}

#[tokio::test]
async fn a_run_is_read_as_it_was_made() {
    let world = world().await;
    let mut run = world.new_run();
    run.spec.labels = vec!["gpu".to_owned()];
    run.trigger.name = "fix".to_owned();
    world.queue(&run).await;
    let stored = world.run(run.id).await;
    assert_eq!(stored.spec, run.spec);
    assert_eq!(stored.trigger, run.trigger);
    assert_eq!(stored.project, world.project);
    let mut conn = world.conn().await;
    let none = store::runs::get(&mut conn, RunId::new()).await;
    assert!(matches!(none, Err(RunsError::NoRun(_))));
}

#[tokio::test]
async fn runs_are_listed_newest_first_in_pages_of_the_projects_that_are_asked_for() {
    let world = world().await;
    let other = ProjectId::new();
    world.add_project(other, "other").await;
    let mut elsewhere = world.new_run();
    elsewhere.project = other;
    world.queue(&elsewhere).await;
    let made = [world.new_run(), world.new_run()];
    for run in &made {
        world.queue(run).await;
    }
    let of = |projects: &[ProjectId]| RunFilter {
        projects: Some(projects.to_vec()),
        ..RunFilter::default()
    };
    let own = of(&[world.project]);
    assert_eq!(list(&world, &own, None, 9).await, [made[1].id, made[0].id]);
    assert_eq!(list(&world, &own, None, 1).await, [made[1].id]);
    assert_eq!(list(&world, &own, Some(made[1].id), 9).await, [made[0].id]);
    let both = list(&world, &of(&[world.project, other]), None, 9).await;
    assert_eq!(both, [made[1].id, made[0].id, elsewhere.id]);
    assert_eq!(list(&world, &RunFilter::default(), None, 9).await, both);
    assert!(list(&world, &of(&[]), None, 9).await.is_empty());
}

#[tokio::test]
async fn runs_are_listed_by_their_states() {
    let world = world().await;
    let ended = world.releasing(1).await.lease.run_id;
    let waiting = world.new_run();
    world.queue(&waiting).await;
    let filter = |state| RunFilter {
        projects: Some(vec![world.project]),
        states: vec![state],
        ..RunFilter::default()
    };
    let pending = list(&world, &filter(RunState::Pending), None, 9).await;
    assert_eq!(pending, [waiting.id]);
    let succeeded = list(&world, &filter(RunState::Succeeded), None, 9).await;
    assert_eq!(succeeded, [ended]);
}

#[tokio::test]
async fn only_a_run_that_has_not_ended_is_alive() {
    let world = world().await;
    let ended = world.releasing(1).await.lease.run_id;
    let waiting = world.new_run();
    world.queue(&waiting).await;
    let mut conn = world.conn().await;
    let alive = store::runs::project_if_alive(&mut conn, waiting.id).await;
    assert_eq!(alive.unwrap(), Some(world.project));
    let over = store::runs::project_if_alive(&mut conn, ended).await;
    assert_eq!(over.unwrap(), None);
}

#[tokio::test]
async fn what_is_left_of_a_run_may_be_swept_once_its_slot_is_free() {
    let world = world().await;
    let lease = world.releasing(1).await;
    let (waiting, unknown) = (world.new_run(), RunId::new());
    world.queue(&waiting).await;
    let ids = [lease.lease.run_id, waiting.id, unknown];
    let mut conn = world.conn().await;
    assert_eq!(
        store::runs::sweepable(&mut conn, &ids).await.unwrap(),
        [unknown]
    );
    store::transitions::released(&mut conn, &[&holder(&lease)])
        .await
        .unwrap();
    let mut sweepable = store::runs::sweepable(&mut conn, &ids).await.unwrap();
    sweepable.sort();
    assert_eq!(sweepable, [lease.lease.run_id, unknown]);
}

#[tokio::test]
async fn a_list_by_state_reads_what_it_shows() {
    let world = world().await;
    world
        .change(
            "INSERT INTO runs.runs (id, project_id, trigger, spec, state, reason, finished_at)
             SELECT ck8s.uuid_floor(now() + make_interval(secs => n * 0.001)), p.id, '{}', '{}', s.state, s.reason, now()
             FROM auth.projects p, (VALUES (1, 3000, 'succeeded', 'completed'), (3001, 6000, 'failed', 'agent_error')) s (low, high, state, reason),
                  generate_series(s.low, s.high) n",
        )
        .await;
    let waiting = world.new_run();
    world.queue(&waiting).await;
    for (state, expected) in [
        (RunState::Succeeded, 20),
        (RunState::Failed, 20),
        (RunState::Canceled, 0),
        (RunState::Pending, 1),
    ] {
        let filter = RunFilter {
            projects: Some(vec![world.project]),
            states: vec![state],
            ..RunFilter::default()
        };
        let mut tx = world.pool.begin().await.unwrap();
        let found = store::runs::list(&mut tx, &filter, None, 20).await.unwrap();
        assert_eq!(found.len(), expected, "{state:?}");
        assert!(found.iter().all(|run| run.state == state));
        let read: i64 = sqlx::query_scalar(
            "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
             WHERE schemaname = 'runs' AND relname LIKE 'runs\\_%'",
        )
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        assert!(read <= 50, "{state:?}: {read} rows read for {expected}");
    }
}
