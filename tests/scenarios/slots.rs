//! Slots that somebody frees by hand.
use std::process::{Command, Stdio};

use ck8s_proto::runs::v1::{ReleaseSlotRequest, RunReason, RunState};
use ck8s_tests::{
    ManualWorker, Setup, World, database,
    manual_worker::{hello_of_cluster, lease, running},
    new_id,
    program::binary,
    script,
};
use tonic::Status;
use tonic_types::StatusExt as _;

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().expect("every error has a reason");
    info.reason.clone()
}

fn release(force: bool) -> ReleaseSlotRequest {
    ReleaseSlotRequest {
        request_id: new_id(),
        project: "acme".to_owned(),
        number: 1,
        force,
    }
}

#[tokio::test]
async fn a_slot_of_a_cluster_that_is_gone_is_freed_by_hand() {
    let world = World::start(Setup::without_worker().short_leases()).await;
    world.admin.project("acme", 1).await;
    let mut runs = world.admin.runs();
    let free = runs.release_slot(release(true)).await.unwrap_err();
    assert_eq!(reason(&free), "SLOT_FREE");

    let mut hand =
        ManualWorker::connect(&world.as_worker(), hello_of_cluster("k", "gone", 1)).await;
    let run = world.admin.start("acme", script("true")).await;
    let grant = hand.grant().await;
    hand.tell(lease(&grant), running()).await;
    let held = runs.release_slot(release(true)).await.unwrap_err();
    assert_eq!(reason(&held), "SLOT_HELD");

    // The cluster is gone, and its worker with it.
    drop(hand);
    ck8s_tests::until("the lease is orphaned", async || {
        let kinds = world.admin.kinds(&run.id).await;
        kinds.contains(&"run.orphaned".to_owned()).then_some(())
    })
    .await;
    let doubt = runs.release_slot(release(false)).await.unwrap_err();
    assert_eq!(reason(&doubt), "SLOT_IN_DOUBT");
    assert!(doubt.message().contains("kubernetes:gone"), "{doubt:?}");
    assert_eq!(world.admin.run(&run.id).await.state(), RunState::Running);

    let by_force = release(true);
    for _ in 0..2 {
        let released = runs.release_slot(by_force.clone()).await.unwrap();
        let held_it = released.into_inner().run.unwrap();
        assert_eq!(held_it.id, run.id);
        assert_eq!(
            (held_it.state(), held_it.reason()),
            (RunState::Failed, RunReason::WorkerLost)
        );
    }
    let other = ReleaseSlotRequest {
        number: 2,
        ..by_force
    };
    let reused = runs.release_slot(other).await.unwrap_err();
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
    let told = database::flow_events(&world.owner, "slot.released").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("slot 1 of project acme"), "{told:?}");
    assert_eq!(database::leases(&world.owner).await, 0);

    // The next run has the slot, on another cluster.
    let mut other =
        ManualWorker::connect(&world.as_worker(), hello_of_cluster("o", "other", 1)).await;
    let next = world.admin.start("acme", script("true")).await;
    let grant = other.grant_of(&next.id).await;
    other.work_off(&grant).await;
    world.idle().await;
}

/// Runs `ck8s slot release` as a platform admin. Returns whether it succeeded, and its output.
fn release_by_command(world: &World, args: &[&str]) -> (bool, String) {
    let ended = Command::new(binary())
        .args(["slot", "release", "acme", "1"])
        .args(args)
        .env_clear()
        .env("CK8S_URL", &world.ready.url)
        .env("CK8S_TOKEN", &world.ready.admin_token)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = [ended.stdout, ended.stderr].concat();
    (
        ended.status.success(),
        String::from_utf8_lossy(&output).into_owned(),
    )
}

#[tokio::test]
async fn the_command_line_frees_a_slot_and_says_what_held_it() {
    let world = World::start(Setup::without_worker().short_leases()).await;
    world.admin.project("acme", 1).await;
    let hand = ManualWorker::connect(&world.as_worker(), hello_of_cluster("k", "gone", 1)).await;
    let run = world.admin.start("acme", script("true")).await;
    drop(hand);
    let said = ck8s_tests::until("the slot can be freed", async || {
        let (freed, output) = release_by_command(&world, &["--force"]);
        freed.then_some(output)
    })
    .await;
    let run = run.id;
    let expected =
        format!("slot 1 of project acme is free; run {run} held it: failed (worker lost)");
    assert_eq!(said.trim(), expected);
    let (freed, output) = release_by_command(&world, &[]);
    assert!(!freed);
    assert!(
        output.contains("slot 1 of project acme is free"),
        "{output}"
    );
}
