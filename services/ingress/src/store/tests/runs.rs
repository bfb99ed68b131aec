//! The runs of deliveries: their ids, and the trigger whose run has the delivery's own.
use std::collections::HashMap;

use ck8s_types::{DeliveryId, RunId, RunSpec, RunTrigger};

use super::{
    super::{deliveries, waiting},
    World, world,
};
use crate::domain::{
    delivery::{DeliveryOutcome, DeliveryState, NewDelivery, Postponement, WaitingDelivery},
    run_request::{RunRequest, RunRequests},
    triggered_run::TriggeredRun,
};

/// Returns requests for runs of these triggers, in order.
fn requests(world: &World, triggers: &[&str], first_trigger: Option<&str>) -> RunRequests {
    let run = |trigger: &&str| RunRequest {
        project_id: world.project,
        repository_id: world.repository,
        repository_name: "acme/shop".to_owned(),
        run: TriggeredRun {
            trigger: RunTrigger {
                name: (*trigger).to_owned(),
                ..RunTrigger::default()
            },
            spec: RunSpec::default(),
            needs_write_access: false,
            sender_id: None,
            head: None,
            files: None,
        },
        question: None,
        id_of_trigger: false,
    };
    let mut requests = RunRequests {
        runs: triggers.iter().map(run).collect(),
        reason: String::new(),
    };
    requests.assign_ids(first_trigger);
    requests
}

/// Stores a delivery that asks for runs of these triggers.
async fn stored(world: &World, key: &str, triggers: &[&str]) -> DeliveryId {
    let delivery = NewDelivery {
        runs: requests(world, triggers, None).runs,
        ..world.delivery(key, DeliveryState::RunCreated)
    };
    world.insert(&[delivery]).await.0[0]
}

async fn load(world: &World, id: DeliveryId) -> WaitingDelivery {
    let mut conn = world.pool.acquire().await.expect("a connection");
    let mut loaded = waiting::load(&mut conn, &[id], 1).await.expect("loaded");
    loaded.pop().expect("it waits")
}

async fn run_ids(world: &World, id: DeliveryId) -> Vec<RunId> {
    let mut conn = world.pool.acquire().await.expect("a connection");
    let delivery = deliveries::get(&mut conn, id).await.expect("read");
    delivery.expect("there").run_ids
}

/// Decides the first trigger as repair does, and returns the id of each trigger's run.
async fn ids_of_repair(world: &World, id: DeliveryId, triggers: &[&str]) -> HashMap<String, RunId> {
    let waiting = load(world, id).await;
    let mut first_trigger = waiting.first_trigger;
    if first_trigger.is_none() {
        let mut conn = world.pool.acquire().await.expect("a connection");
        let first = [(id, triggers[0])];
        let decided = deliveries::decide_first_triggers(&mut conn, &first).await;
        first_trigger = decided.expect("decided").remove(&id);
    }
    let requests = requests(world, triggers, first_trigger.as_deref()).runs;
    let ids = requests.iter();
    ids.map(|run| (run.trigger().to_owned(), run.run_id(id)))
        .collect()
}

#[tokio::test]
async fn a_delivery_of_several_triggers_has_all_their_runs_once_it_stops_waiting() {
    let world = world().await;
    let id = stored(&world, "several", &["a", "b", "c"]).await;
    let alone = stored(&world, "alone", &["a"]).await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    assert_eq!(run_ids(&world, id).await, []);
    waiting::finish(&mut conn, &[id, alone])
        .await
        .expect("finished");
    let of = |trigger| RunId::of_trigger(id, trigger);
    assert_eq!(
        run_ids(&world, id).await,
        [RunId::of_delivery(id), of("b"), of("c")]
    );
    assert_eq!(run_ids(&world, alone).await, [RunId::of_delivery(alone)]);
}

#[tokio::test]
async fn a_changed_file_does_not_change_the_ids_of_runs() {
    let world = world().await;
    let id = stored(&world, "a", &["a", "b"]).await;
    let repaired = ids_of_repair(&world, id, &["c", "b", "a"]).await;
    assert_eq!(repaired["a"], RunId::of_delivery(id));
    for trigger in ["b", "c"] {
        assert_eq!(repaired[trigger], RunId::of_trigger(id, trigger));
    }
}

#[tokio::test]
async fn a_delivery_of_an_older_program_decides_once_which_run_has_its_own_id() {
    let world = world().await;
    // An older program names no trigger.
    let rows = [world.delivery("old", DeliveryState::RunCreated)];
    let id = world.insert(&rows).await.0[0];
    for triggers in [["a", "b"], ["b", "a"]] {
        let repaired = ids_of_repair(&world, id, &triggers).await;
        assert_eq!(repaired["a"], RunId::of_delivery(id), "{triggers:?}");
        assert_eq!(repaired["b"], RunId::of_trigger(id, "b"), "{triggers:?}");
    }
    // Another replica was first with another file.
    let mut conn = world.pool.acquire().await.expect("a connection");
    let decided = deliveries::decide_first_triggers(&mut conn, &[(id, "c")]).await;
    assert_eq!(decided.expect("decided")[&id], "a");
}

#[tokio::test]
async fn the_runs_that_exist_are_kept_while_a_delivery_waits_and_when_it_is_replayed() {
    let world = world().await;
    let id = stored(&world, "a", &["a", "b", "c"]).await;
    let runs = ["a", "b"].map(|trigger| RunId::of_trigger(id, trigger));
    let mut conn = world.pool.acquire().await.expect("a connection");
    let postponed = |run_ids| Postponement {
        id,
        reason: "the provider is asked later".to_owned(),
        until: None,
        run_ids,
    };
    for run_ids in [runs.to_vec(), Vec::new()] {
        let noted = waiting::postpone(&mut conn, &[postponed(run_ids)]).await;
        noted.expect("postponed");
        assert_eq!(load(&world, id).await.run_ids, runs);
        assert_eq!(
            run_ids_and_state(&world, id).await,
            (runs.to_vec(), DeliveryState::Received)
        );
    }
    for replay in [false, true] {
        let failed = DeliveryOutcome::failed(id, runs.to_vec(), "the third cannot be created");
        let settled = waiting::settle(&mut conn, &[failed]).await;
        assert_eq!(settled.expect("settled"), [id]);
        assert_eq!(
            run_ids_and_state(&world, id).await,
            (runs.to_vec(), DeliveryState::Failed)
        );
        match replay {
            true => assert!(waiting::reopen(&mut conn, id).await.expect("reopened")),
            false => {
                let key = world.delivery("a", DeliveryState::Failed).delivery_key();
                let revived = waiting::revive_failed(&mut conn, &[key]).await;
                assert_eq!(revived.expect("revived").len(), 1);
            }
        }
        let again = load(&world, id).await;
        assert_eq!(again.run_ids, runs);
        assert_eq!(again.first_trigger.as_deref(), Some("a"));
    }
}

async fn run_ids_and_state(world: &World, id: DeliveryId) -> (Vec<RunId>, DeliveryState) {
    (run_ids(world, id).await, world.state(id).await)
}
