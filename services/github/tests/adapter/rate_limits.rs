//! GitHub's rate limits: obeyed, remembered for each credential, and reported with the time at which they end.
use std::time::Duration;

use ck8s_provider::{ProviderError, RepositoryProvider, Thread};
use ck8s_tests::{Fault, until};
use time::{Duration as Span, OffsetDateTime};

use crate::fixture::{Fixture, config, credential};

/// Returns the seconds until the limit ends.
fn wait(error: &ProviderError) -> i64 {
    match error {
        ProviderError::RateLimited { until, .. } => {
            (*until - OffsetDateTime::now_utc()).whole_seconds()
        }
        other => panic!("{other:?}"),
    }
}

async fn ask(fixture: &Fixture) -> Result<bool, ProviderError> {
    fixture
        .client
        .may_write(&fixture.ada, &fixture.remote, "bob")
        .await
}

#[tokio::test]
async fn nothing_is_sent_until_a_limit_ends() {
    let cases = [
        (Fault::Spent(Duration::from_secs(1200)), 1200),
        (Fault::Secondary(403, Some(30)), 30),
        (Fault::Secondary(429, Some(30)), 30),
        (Fault::Secondary(403, None), 60),
        (Fault::Secondary(429, None), 60),
        (Fault::Status(429), 60),
    ];
    for (fault, seconds) in cases {
        let fixture = Fixture::start().await;
        fixture.github.world().switch_on("/permission", fault, 1);
        let first = ask(&fixture).await.unwrap_err();
        assert!(
            (seconds - 3..=seconds).contains(&wait(&first)),
            "{fault:?}: {first:?}"
        );
        let body = Thread { number: 5 };
        let said = fixture
            .client
            .create_comment(&fixture.ada, &fixture.remote, &body, "x")
            .await;
        assert_eq!(said, Err(first.clone()), "a write neither");
        assert_eq!(ask(&fixture).await, Err(first));
        assert_eq!(fixture.github.world().calls.len(), 1, "{fault:?}");
        // Other credentials are not affected.
        let bob = fixture.classic_token("bob", &["repo"]);
        let may = fixture.client.may_write(&bob, &fixture.remote, "bob").await;
        assert_eq!(may, Ok(true), "{fault:?}");
    }
}

#[tokio::test]
async fn a_short_limit_ends() {
    let fixture = Fixture::start().await;
    fixture
        .github
        .world()
        .switch_on("/permission", Fault::Secondary(429, Some(1)), 1);
    let Err(ProviderError::RateLimited { until: end, .. }) = ask(&fixture).await else {
        panic!("no limit")
    };
    let may = until("the limit has ended", async || ask(&fixture).await.ok()).await;
    assert!(may && OffsetDateTime::now_utc() >= end);
    assert_eq!(fixture.github.world().calls.len(), 2);
}

#[tokio::test]
async fn after_the_last_allowed_request_none_is_sent() {
    let fixture = Fixture::start().await;
    fixture
        .github
        .world()
        .leave(&fixture.token, 2, Duration::from_secs(600));
    assert_eq!(
        fixture.client.quota(&fixture.ada),
        None,
        "nothing was asked yet"
    );
    assert_eq!(ask(&fixture).await, Ok(true));
    let quota = fixture.client.quota(&fixture.ada).unwrap();
    assert_eq!((quota.limit, quota.remaining), (5000, 1));
    assert!(quota.resets_at <= OffsetDateTime::now_utc() + Span::seconds(600));
    assert_eq!(ask(&fixture).await, Ok(true));
    let refused = ask(&fixture).await.unwrap_err();
    assert!(wait(&refused) > 590, "{refused:?}");
    assert_eq!(fixture.github.world().calls.len(), 2);
    // A new client does not know the limit, sends a request and is refused.
    let fresh = ck8s_github::GitHub::with_config(&fixture.github.api_url(), config()).unwrap();
    let told = fresh
        .may_write(&fixture.ada, &fixture.remote, "bob")
        .await
        .unwrap_err();
    assert!(wait(&told) > 590, "{told:?}");
}

#[tokio::test]
async fn a_refusal_without_a_limit_is_a_missing_permission() {
    let fixture = Fixture::start().await;
    fixture
        .github
        .world()
        .switch_on("/permission", Fault::Status(403), 1);
    let refused = ask(&fixture).await;
    assert!(
        matches!(refused, Err(ProviderError::Denied { .. })),
        "{refused:?}"
    );
    assert_eq!(ask(&fixture).await, Ok(true));
}

#[tokio::test]
async fn one_credential_writes_one_thing_at_a_time() {
    let fixture = Fixture::start().await;
    let slow = Fault::Delay(Duration::from_millis(20));
    fixture.github.world().switch_on("/comments", slow, 6);
    let other = credential(&fixture.github.world().classic_token("bob", &["repo"]));
    let thread = Thread { number: 5 };
    let say = |credential| {
        fixture
            .client
            .create_comment(credential, &fixture.remote, &thread, "x")
    };
    let said = tokio::join!(
        say(&fixture.ada),
        say(&fixture.ada),
        say(&fixture.ada),
        say(&other),
        say(&other),
        say(&other)
    );
    let all = [said.0, said.1, said.2, said.3, said.4, said.5];
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(fixture.github.world().writes_at_once, 1);
}
