//! Duplicates: one delivery sent many times at once makes one run; two deliveries at the same instant make two.
use std::collections::HashMap;

use ck8s_tests::{Http, Setup, Webhook, World, labeled};
use futures::future::join_all;

const SERVICES: &str = "
version: 1
triggers:
  - name: label
    on: { event: issues, actions: [labeled], labels: [\"run:dev\"] }
    run: { command: \"true\" }
";

#[tokio::test(flavor = "multi_thread")]
async fn one_delivery_sent_a_hundred_times_at_once_makes_one_run() {
    let world = World::start(Setup::with_worker(4)).await;
    let project = world.admin.project("acme", 2).await;
    let (_, secret) = world
        .admin
        .repository("acme", "acme/app", 77, SERVICES)
        .await;
    let body = labeled(77, "acme/app", 1, "run:dev")
        .to_string()
        .into_bytes();
    let webhook = Webhook::new("issues", body, &secret);

    let connections = join_all((0..16).map(|_| Http::connect(&world.ready.url))).await;
    let sending = connections.into_iter().enumerate().map(|(i, connection)| {
        let webhook = webhook.clone();
        // 100 over 16: the first four connections send seven, the others six.
        let times = if i < 4 { 7 } else { 6 };
        tokio::spawn(async move {
            let mut connection = connection.unwrap();
            let mut answers = Vec::new();
            for _ in 0..times {
                answers.push(webhook.send(&mut connection).await.unwrap());
            }
            answers
        })
    });
    let mut counts: HashMap<(u16, String), u32> = HashMap::new();
    for answers in join_all(sending).await {
        for answer in answers.unwrap() {
            assert_eq!(answer.json()["delivery_id"], webhook.delivery());
            *counts.entry((answer.status, answer.code())).or_default() += 1;
        }
    }
    println!("answers: {counts:?}");
    let wanted = HashMap::from([
        ((202, "ACCEPTED".to_owned()), 1),
        ((200, "DUPLICATE".to_owned()), 99),
    ]);
    assert_eq!(counts, wanted);
    world.idle().await;
    assert_eq!(world.admin.all_deliveries().await.len(), 1);
    let runs = ck8s_tests::until("the run", async || {
        Some(world.admin.all_runs(&project).await).filter(|r| !r.is_empty())
    })
    .await;
    assert_eq!(runs.len(), 1, "{runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deliveries_at_the_same_instant_make_two_runs() {
    let world = World::start(Setup::with_worker(4)).await;
    let project = world.admin.project("acme", 2).await;
    let (_, secret) = world
        .admin
        .repository("acme", "acme/app", 77, SERVICES)
        .await;
    let webhook = || {
        Webhook::new(
            "issues",
            labeled(77, "acme/app", 1, "run:dev")
                .to_string()
                .into_bytes(),
            &secret,
        )
    };
    let (one, two) = (webhook(), webhook());
    let (a, b) = tokio::join!(one.send_to(&world.ready.url), two.send_to(&world.ready.url));
    assert_eq!((a.unwrap().status, b.unwrap().status), (202, 202));
    let runs = ck8s_tests::until("two runs", async || {
        Some(world.admin.all_runs(&project).await).filter(|r| r.len() >= 2)
    })
    .await;
    assert_eq!(runs.len(), 2);
    for run in &runs {
        world
            .admin
            .ends(
                &run.id,
                ck8s_proto::runs::v1::RunState::Succeeded,
                ck8s_proto::runs::v1::RunReason::Completed,
            )
            .await;
    }
    assert_ne!(runs[0].delivery_id, runs[1].delivery_id);
}
