//! GitHub's own example payloads: each becomes a run or is ignored with a reason, and is refused where its repository
//! is unknown.
use std::{collections::BTreeMap, path::PathBuf, process::Command};

use ck8s_proto::ingress::v1::DeliveryState;
use ck8s_tests::{Http, Setup, Webhook, World, until};
use serde_json::Value;

const REPOSITORY: i64 = 77;

const SERVICES: &str = "
version: 1
defaults: { command: \"true\" }
triggers:
  - { name: push, on: { event: push }, run: {} }
  - { name: label, on: { event: issues, actions: labeled }, run: {} }
  - { name: comment, on: { event: issue_comment, actions: created }, run: {} }
  - { name: pull, on: { event: pull_request, actions: [opened, synchronize] }, run: {} }
  - { name: command, on: { event: issue_comment, comment: /run, allow_bots: true }, run: {} }
";

/// Returns GitHub's examples, which are fetched once. Returns none, and says so, where they cannot be fetched.
fn examples() -> Option<Vec<(String, Value)>> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/fetch");
    let output = Command::new(script).output().expect("the script runs");
    if !output.status.success() {
        println!(
            "SKIPPED: GitHub's example payloads are missing: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        return None;
    }
    let file = String::from_utf8(output.stdout).expect("a path");
    let events: Vec<Value> =
        serde_json::from_slice(&std::fs::read(file.trim()).expect("the file")).expect("is JSON");
    let mut all = Vec::new();
    for event in events {
        let name = event["name"].as_str().expect("an event's name").to_owned();
        for example in event["examples"].as_array().expect("its examples") {
            all.push((name.clone(), example.clone()));
        }
    }
    Some(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_github_example_becomes_a_run_or_is_ignored_with_a_reason() {
    let Some(examples) = examples() else { return };
    assert!(examples.len() >= 300, "{} examples", examples.len());
    let world = World::start(Setup::with_worker(16)).await;
    world.admin.project("acme", 16).await;
    let (_, secret) = world
        .admin
        .repository("acme", "acme/app", REPOSITORY, SERVICES)
        .await;
    let mut http = Http::connect(&world.ready.url).await.unwrap();
    let mut answers: BTreeMap<String, u32> = BTreeMap::new();
    let mut sent = 0;
    for (event, payload) in &examples {
        let mut ours = payload.clone();
        if ours["repository"].is_object() {
            let id = ours["repository"]["id"].take();
            ours["repository"]["id"] = REPOSITORY.into();
            // What is the example's own repository is ours.
            if let Some(head) = ours.pointer_mut("/pull_request/head/repo/id")
                && *head == id
            {
                *head = REPOSITORY.into();
            }
        }
        // An event without a repository is signed with the platform's secret.
        let secret = if ours["repository"].is_object() {
            &secret
        } else {
            &world.ready.webhook_secret
        };
        let webhook = Webhook::new(event, ours.to_string().into_bytes(), secret);
        let answer = webhook.send(&mut http).await.unwrap();
        assert_eq!(answer.status, 202, "{event}: {answer:?}");
        *answers.entry(answer.code()).or_default() += 1;
        sent += 1;
    }
    let deliveries = until("every delivery is handled", async || {
        let all = world.admin.all_deliveries().await;
        all.iter()
            .all(|d| d.state() != DeliveryState::Received)
            .then_some(all)
    })
    .await;
    assert_eq!(deliveries.len(), sent, "none is lost");
    let mut states: BTreeMap<&str, u32> = BTreeMap::new();
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for delivery in &deliveries {
        *states.entry(delivery.state().as_str_name()).or_default() += 1;
        match delivery.state() {
            DeliveryState::RunCreated => assert!(!delivery.run_id.is_empty(), "{delivery:?}"),
            DeliveryState::Ignored => {
                assert!(!delivery.reason.is_empty(), "{delivery:?}");
                *reasons.entry(&delivery.reason).or_default() += 1;
            }
            _ => panic!("{delivery:?}"),
        }
    }
    println!(
        "{sent} payloads of {} events: {answers:?}; {states:?}",
        events(&examples)
    );
    for (reason, times) in &reasons {
        println!("  {times:>4} ignored: {reason}");
    }
    let runs = world.admin.all_runs("").await.len();
    assert!(runs > 10, "{runs} runs");
    assert_eq!(
        runs,
        usize::try_from(
            states
                .get("DELIVERY_STATE_RUN_CREATED")
                .copied()
                .unwrap_or(0)
        )
        .unwrap()
    );
}

fn events(examples: &[(String, Value)]) -> usize {
    examples
        .iter()
        .map(|(name, _)| name)
        .collect::<std::collections::BTreeSet<_>>()
        .len()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_github_example_of_an_unknown_repository_is_refused() {
    let Some(examples) = examples() else { return };
    let world = World::start(Setup::without_worker()).await;
    let mut http = Http::connect(&world.ready.url).await.unwrap();
    let mut refused = 0;
    for (event, payload) in examples.iter().filter(|(_, p)| p["repository"].is_object()) {
        let webhook = Webhook::new(
            event,
            payload.to_string().into_bytes(),
            &world.ready.webhook_secret,
        );
        let answer = webhook.send(&mut http).await.unwrap();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "SIGNATURE_INVALID"),
            "{event}"
        );
        refused += 1;
    }
    println!("{refused} payloads of unknown repositories: all refused");
    assert_eq!(world.admin.all_deliveries().await, []);
}
