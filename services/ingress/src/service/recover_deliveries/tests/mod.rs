//! What a broken way from GitHub to this server loses: nothing.
mod world;

use std::collections::HashMap;

use ck8s_tests::{Fault, until};
use time::{Duration, OffsetDateTime};

use self::world::World;
use super::{Listing, RecoveryOutcome};

/// Nobody listens there.
const CLOSED: &str = "http://127.0.0.1:1/api/v1/webhooks/github";

/// Makes rounds that read lists, every five minutes.
async fn rounds(world: &World, now: &mut OffsetDateTime, count: i32) {
    for _ in 0..count {
        *now += Duration::minutes(5);
        world.find(*now).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_path_that_is_broken_for_three_hours_loses_nothing() {
    let world = World::start().await;
    let mut now = OffsetDateTime::now_utc();
    let (mut secret, mut url) = (String::new(), String::new());
    world.hook(|hook| (secret, url) = (hook.secret.clone(), hook.url.clone()));

    // First hour: the secrets differ.
    world.hook(|hook| hook.secret = "another secret than ours".to_owned());
    assert_eq!(world.emit(4).await, [401; 4]);
    rounds(&world, &mut now, 12).await;
    assert_eq!(world.events("delivery.missed").await[0].1, 4);
    // Second hour: nobody listens, and GitHub does not take requests for another attempt.
    world.hook(|hook| hook.url = CLOSED.to_owned());
    world
        .github
        .world()
        .switch_on("/attempts", Fault::Status(502), usize::MAX);
    assert_eq!(world.emit(4).await, [0; 4]);
    rounds(&world, &mut now, 12).await;
    let refused = world.requests()[&502];
    assert!(refused > 0, "the fault has hit");
    // Third hour: its lists cannot be read either.
    world
        .github
        .world()
        .switch_on("/deliveries", Fault::Status(503), usize::MAX);
    assert_eq!(world.emit(4).await, [0; 4]);
    rounds(&world, &mut now, 11).await;
    let rows = world.rows().await;
    assert_eq!(rows.len(), 8, "what is on no list has no row yet");
    assert!(
        rows.iter().all(|row| (4..=9).contains(&row.tries)),
        "pauses grow: {rows:?}"
    );
    assert!(
        rows[..4].iter().all(|row| row.state == "asked_again"),
        "{rows:?}"
    );
    assert!(
        rows[4..].iter().all(|row| row.state == "missing"),
        "{rows:?}"
    );
    assert!(rows[4].reason.contains("502"), "{rows:?}");
    assert!(world.events("delivery.recovered").await.is_empty());

    // Everything is mended. What got through makes the rest go at once, whatever its pause.
    world.github.world().switch_off();
    world.hook(|hook| (hook.secret, hook.url) = (secret, url));
    let keys = world.delivery_keys();
    assert_eq!(keys.len(), 12);
    now += Duration::minutes(5);
    world.find(now).await;
    world.stored(&keys[8..]).await;
    world.go_on(now).await;
    world.stored(&keys).await;
    world.go_on(now).await;
    let rows = world.rows().await;
    assert_eq!(rows.len(), 12);
    assert!(rows.iter().all(|row| row.state == "arrived"), "{rows:?}");
    let recovered = world.events("delivery.recovered").await;
    assert_eq!(
        recovered.iter().map(|(_, count)| count).sum::<i64>(),
        12,
        "{recovered:?}"
    );
    assert!(world.events("delivery.given_up").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn recovered_is_what_arrived_and_not_what_was_asked_for() {
    let world = World::start().await;
    let mut now = OffsetDateTime::now_utc();
    let mut url = String::new();
    world.hook(|hook| url = std::mem::replace(&mut hook.url, CLOSED.to_owned()));
    assert_eq!(world.emit(3).await, [0; 3]);
    assert_eq!(world.find(now).await, RecoveryOutcome::Complete);
    assert_eq!(world.requests(), HashMap::from([(202, 3)]));
    assert!(world.events("delivery.recovered").await.is_empty());
    let rows = world.rows().await;
    assert!(
        rows.iter()
            .all(|row| (row.state.as_str(), row.tries) == ("asked_again", 1)),
        "{rows:?}"
    );

    // Not due: nobody asks. Due: everything is asked for once more, and arrives.
    now += Duration::seconds(59);
    world.go_on(now).await;
    assert_eq!(world.requests(), HashMap::from([(202, 3)]));
    world.hook(|hook| hook.url = url);
    now += Duration::seconds(1);
    world.go_on(now).await;
    assert_eq!(world.requests(), HashMap::from([(202, 6)]));
    world.stored(&world.delivery_keys()).await;
    world.go_on(now).await;
    world.find(now).await;
    assert_eq!(
        world.requests(),
        HashMap::from([(202, 6)]),
        "nobody asks for what is here"
    );
    let recovered = world.events("delivery.recovered").await;
    assert_eq!(recovered.iter().map(|(_, count)| count).sum::<i64>(), 3);
    assert!(recovered[0].0.starts_with("acme/one: "), "{recovered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_deliver_is_given_up_after_three_days_with_its_reason() {
    let world = World::start().await;
    let now = OffsetDateTime::now_utc();
    world.hook(|hook| hook.url = CLOSED.to_owned());
    assert_eq!(world.emit(2).await, [0; 2]);
    world.find(now).await;
    world.go_on(now + Duration::days(3) - Duration::HOUR).await;
    let rows = world.rows().await;
    assert!(
        rows.iter()
            .all(|row| (row.state.as_str(), row.tries) == ("asked_again", 2)),
        "{rows:?}"
    );
    world
        .go_on(now + Duration::days(3) + Duration::MINUTE)
        .await;
    let rows = world.rows().await;
    assert!(rows.iter().all(|row| row.state == "given_up"), "{rows:?}");
    assert!(rows[0].reason.contains("three days"), "{rows:?}");
    let events = world.events("delivery.given_up").await;
    assert!(
        events[0]
            .0
            .contains("2 given up: GitHub keeps a delivery for three days"),
        "{events:?}"
    );
    world.find(now + Duration::days(4)).await;
    assert_eq!(
        world.requests(),
        HashMap::from([(202, 4)]),
        "nobody asks any more"
    );
    assert_eq!(world.events("delivery.given_up").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_ask_for_a_delivery_once() {
    let world = World::start().await;
    let other = world.another_recovery().await;
    let now = OffsetDateTime::now_utc();
    world.hook(|hook| hook.url = CLOSED.to_owned());
    assert_eq!(world.emit(7).await, [0; 7]);
    let both = tokio::join!(
        world.recovery().round(now, Listing::Read),
        other.round(now, Listing::Read),
    );
    let both = [both.0.expect("a round"), both.1.expect("a round")];
    assert!(both.contains(&RecoveryOutcome::Complete), "{both:?}");
    assert_eq!(world.requests(), HashMap::from([(202, 7)]), "{both:?}");
    assert_eq!(world.events("delivery.missed").await.len(), 1);
    // Both see the arrivals, and one of them counts each.
    let mut keys = world.delivery_keys();
    keys.sort();
    let arrive = "INSERT INTO ingress.delivery_keys (provider, delivery_key, delivery_id, repository_id)
                  SELECT 'github', key, gen_random_uuid(), id FROM unnest($1::text[]) AS key, repositories.repositories";
    sqlx::query(arrive)
        .bind(&keys)
        .execute(&world.owner)
        .await
        .expect("they arrive");
    let (one, two) = tokio::join!(
        world.recovery().round(now, Listing::Skip),
        other.round(now, Listing::Skip),
    );
    one.expect("a round");
    two.expect("a round");
    let recovered = world.events("delivery.recovered").await;
    assert_eq!(
        recovered.iter().map(|(_, count)| count).sum::<i64>(),
        7,
        "{recovered:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_attempt_updates_its_row_and_the_mark_moves_on() {
    let world = World::start().await;
    let mut now = OffsetDateTime::now_utc();
    world.hook(|hook| hook.secret = "another secret than ours".to_owned());
    assert_eq!(world.emit(1).await, [401]);
    world.find(now).await;
    let tried = until("the second attempt has failed", async || {
        let mut attempts = Vec::new();
        world.hook(|hook| attempts.clone_from(&hook.attempts));
        attempts
            .into_iter()
            .find(|a| a.redelivery && a.status_code == 401)
    })
    .await;
    now += Duration::minutes(5);
    world.find(now).await;
    let attempt: String = sqlx::query_scalar("SELECT attempt_id FROM ingress.missing_deliveries")
        .fetch_one(&world.owner)
        .await
        .expect("a row");
    assert!(attempt.parse::<u64>().expect("a number") >= tried.id);
    let mark = "SELECT recovered_until > created_at - interval '40 seconds' FROM repositories.repositories";
    let moved: bool = sqlx::query_scalar(mark)
        .fetch_one(&world.owner)
        .await
        .expect("a mark");
    assert!(moved, "the row keeps what the mark has passed");
}
