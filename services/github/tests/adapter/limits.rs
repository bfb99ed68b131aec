//! GitHub's limits: respected, remembered for the credential, told with the moment at which they end.
use std::time::Duration;

use ck8s_provider::{ProviderError, RepositoryProvider, Thread};
use ck8s_tests::{Fault, until};
use time::{Duration as Span, OffsetDateTime};

use crate::scene::{Scene, credential, pace};

/// Until when, in seconds from now.
fn wait(error: &ProviderError) -> i64 {
    match error {
        ProviderError::Limited { until, .. } => {
            (*until - OffsetDateTime::now_utc()).whole_seconds()
        }
        other => panic!("{other:?}"),
    }
}

async fn ask(scene: &Scene) -> Result<bool, ProviderError> {
    scene
        .adapter
        .may_write(&scene.ada, &scene.remote, "bob")
        .await
}

#[tokio::test]
async fn after_a_limit_nothing_is_asked_until_it_ends() {
    let cases = [
        (Fault::Spent(Duration::from_secs(1200)), 1200),
        (Fault::Secondary(403, Some(30)), 30),
        (Fault::Secondary(429, Some(30)), 30),
        (Fault::Secondary(403, None), 60),
        (Fault::Secondary(429, None), 60),
        (Fault::Status(429), 60),
    ];
    for (fault, seconds) in cases {
        let scene = Scene::start().await;
        scene.github.world().switch_on("/permission", fault, 1);
        let first = ask(&scene).await.unwrap_err();
        assert!(
            (seconds - 3..=seconds).contains(&wait(&first)),
            "{fault:?}: {first:?}"
        );
        let body = Thread { number: 5 };
        let said = scene
            .adapter
            .create_comment(&scene.ada, &scene.remote, &body, "x")
            .await;
        assert_eq!(said, Err(first.clone()), "a write neither");
        assert_eq!(ask(&scene).await, Err(first));
        assert_eq!(scene.github.world().calls.len(), 1, "{fault:?}");
        // Others are not held up.
        let bob = scene.classic("bob", &["repo"]);
        let may = scene.adapter.may_write(&bob, &scene.remote, "bob").await;
        assert_eq!(may, Ok(true), "{fault:?}");
    }
}

#[tokio::test]
async fn a_short_limit_ends() {
    let scene = Scene::start().await;
    scene
        .github
        .world()
        .switch_on("/permission", Fault::Secondary(429, Some(1)), 1);
    let Err(ProviderError::Limited { until: end, .. }) = ask(&scene).await else {
        panic!("no limit")
    };
    let may = until("the limit has ended", async || ask(&scene).await.ok()).await;
    assert!(may && OffsetDateTime::now_utc() >= end);
    assert_eq!(scene.github.world().calls.len(), 2);
}

#[tokio::test]
async fn the_last_request_is_answered_and_no_further_one_is_made() {
    let scene = Scene::start().await;
    scene
        .github
        .world()
        .leave(&scene.token, 2, Duration::from_secs(600));
    assert_eq!(
        scene.adapter.quota(&scene.ada),
        None,
        "nothing was asked yet"
    );
    assert_eq!(ask(&scene).await, Ok(true));
    let quota = scene.adapter.quota(&scene.ada).unwrap();
    assert_eq!((quota.limit, quota.remaining), (5000, 1));
    assert!(quota.resets_at <= OffsetDateTime::now_utc() + Span::seconds(600));
    assert_eq!(ask(&scene).await, Ok(true));
    let refused = ask(&scene).await.unwrap_err();
    assert!(wait(&refused) > 590, "{refused:?}");
    assert_eq!(scene.github.world().calls.len(), 2);
    // A new adapter knows nothing, asks, and is told.
    let fresh = ck8s_github::GitHub::paced(&scene.github.api_url(), pace()).unwrap();
    let told = fresh
        .may_write(&scene.ada, &scene.remote, "bob")
        .await
        .unwrap_err();
    assert!(wait(&told) > 590, "{told:?}");
}

#[tokio::test]
async fn a_refusal_without_a_limit_is_a_refusal() {
    let scene = Scene::start().await;
    scene
        .github
        .world()
        .switch_on("/permission", Fault::Status(403), 1);
    let refused = ask(&scene).await;
    assert!(
        matches!(refused, Err(ProviderError::Denied { .. })),
        "{refused:?}"
    );
    assert_eq!(ask(&scene).await, Ok(true));
}

#[tokio::test]
async fn one_credential_writes_one_thing_at_a_time() {
    let scene = Scene::start().await;
    let slow = Fault::Delay(Duration::from_millis(20));
    scene.github.world().switch_on("/comments", slow, 6);
    let other = credential(&scene.github.world().classic_token("bob", &["repo"]));
    let thread = Thread { number: 5 };
    let say = |credential| {
        scene
            .adapter
            .create_comment(credential, &scene.remote, &thread, "x")
    };
    let said = tokio::join!(
        say(&scene.ada),
        say(&scene.ada),
        say(&scene.ada),
        say(&other),
        say(&other),
        say(&other)
    );
    let all = [said.0, said.1, said.2, said.3, said.4, said.5];
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(scene.github.world().writes_at_once, 1);
}
