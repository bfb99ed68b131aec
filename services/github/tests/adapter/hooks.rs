//! Webhooks: creating, updating, pinging and deleting them, and redelivering what they could not deliver.
use ck8s_github::HOOK_EVENTS;
use ck8s_provider::{HookSpec, ProviderError, RepositoryProvider};
use ck8s_tests::{until, webhook::signature};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::{
    fixture::{ALL_PERMISSIONS, APP, Fixture},
    hook_receiver::HookReceiver,
};

fn spec(url: &str, secret: &str) -> HookSpec {
    HookSpec {
        url: url.to_owned(),
        secret: secret.to_owned().into(),
    }
}

#[tokio::test]
async fn a_webhook_is_created_updated_and_deleted() {
    let (fixture, receiver) = (Fixture::start().await, HookReceiver::start().await);
    let client = &fixture.client;
    for credential in [fixture.ada.clone(), fixture.app(&ALL_PERMISSIONS)] {
        let spec_one = spec(&receiver.url, "secret one");
        let hook = client
            .create_hook(&credential, &fixture.remote, &spec_one)
            .await
            .unwrap();
        assert!(hook.active && hook.complete, "{hook:?}");
        let twice = client
            .create_hook(&credential, &fixture.remote, &spec_one)
            .await;
        let why = "Validation Failed; Hook already exists on this repository";
        assert_eq!(twice, Err(ProviderError::Invalid(why.to_owned())));
        {
            let mut world = fixture.github.world();
            let made = &world.repository(APP).hooks[0];
            assert_eq!(
                (made.secret.as_str(), made.content_type.as_str()),
                ("secret one", "json")
            );
            assert_eq!(made.events, HOOK_EVENTS);
            let other = ck8s_tests::github::Hook {
                id: 1,
                url: "http://elsewhere.test".to_owned(),
                attempts: Vec::new(),
                ..made.clone()
            };
            let repository = world.repository(APP);
            repository.hooks.push(other);
            repository.hooks[0].active = false;
            repository.hooks[0].events.pop();
        }
        let found = client
            .list_hooks(&credential, &fixture.remote, &receiver.url)
            .await
            .unwrap();
        assert_eq!(found.len(), 1, "one of the two hooks is ours");
        assert_eq!((found[0].active, found[0].complete), (false, false));
        let spec_two = spec(&receiver.url, "secret two");
        let hook = client
            .update_hook(&credential, &fixture.remote, &hook.id, &spec_two)
            .await
            .unwrap();
        assert!(hook.active && hook.complete, "{hook:?}");
        assert_eq!(
            fixture.github.world().repository(APP).hooks[0].secret,
            "secret two"
        );
        for _ in 0..2 {
            client
                .delete_hook(&credential, &fixture.remote, &hook.id)
                .await
                .unwrap();
        }
        let gone = client
            .update_hook(&credential, &fixture.remote, &hook.id, &spec_two)
            .await;
        assert_eq!(gone, Err(ProviderError::NotFound("such webhook")));
        let gone = client
            .ping_hook(&credential, &fixture.remote, &hook.id)
            .await;
        assert_eq!(gone, Err(ProviderError::NotFound("such webhook")));
        fixture.github.world().repository(APP).hooks.clear();
    }
}

#[tokio::test]
async fn a_ping_is_signed() {
    let (fixture, receiver) = (Fixture::start().await, HookReceiver::start().await);
    let spec = spec(&receiver.url, "a secret");
    let hook = fixture
        .client
        .create_hook(&fixture.ada, &fixture.remote, &spec)
        .await
        .unwrap();
    fixture
        .client
        .ping_hook(&fixture.ada, &fixture.remote, &hook.id)
        .await
        .unwrap();
    until("both pings have come", async || {
        (receiver.delivery_ids().len() == 2).then_some(())
    })
    .await;
    for (headers, body) in receiver.received.lock().unwrap().iter() {
        assert_eq!(headers["x-github-event"], "ping");
        assert_eq!(
            headers["x-hub-signature-256"],
            signature("a secret", body).as_str()
        );
        assert_eq!(headers["x-github-hook-id"], hook.id.as_str());
    }
}

#[tokio::test]
async fn failed_deliveries_are_listed_and_redelivered() {
    let (fixture, receiver) = (Fixture::start().await, HookReceiver::start().await);
    let client = &fixture.client;
    let spec = spec(&receiver.url, "a secret");
    let hook = client
        .create_hook(&fixture.ada, &fixture.remote, &spec)
        .await
        .unwrap();
    until("it was pinged", async || {
        (receiver.delivery_ids().len() == 1).then_some(())
    })
    .await;
    *receiver.response_status.lock().unwrap() = http::StatusCode::SERVICE_UNAVAILABLE;
    for number in 0..230 {
        let payload = json!({ "action": "opened", "number": number });
        assert_eq!(fixture.github.emit(APP, "issues", &payload).await, [503]);
    }
    assert!(
        fixture
            .github
            .emit(APP, "watch", &json!({}))
            .await
            .is_empty(),
        "the hook does not receive this event"
    );
    *receiver.response_status.lock().unwrap() = http::StatusCode::ACCEPTED;
    let long_ago = OffsetDateTime::now_utc() - Duration::DAY;
    let list = async |since| {
        client
            .list_delivery_attempts(&fixture.ada, &fixture.remote, &hook.id, since)
            .await
    };
    // Attempts that are made while the list is read hide none.
    fixture.github.world().after_page(|world| {
        world.repository(APP).hooks[0].attempts.truncate(231);
        let again = world.repository(APP).hooks[0].attempts[5].clone();
        let id = world.next_id();
        let repository = world.repository(APP);
        repository.hooks[0]
            .attempts
            .push(ck8s_tests::github::Attempt { id, ..again });
    });
    let attempts = list(long_ago).await.unwrap();
    assert_eq!(attempts.len(), 231, "230 and the ping");
    let failed: Vec<_> = attempts
        .iter()
        .filter(|attempt| !attempt.succeeded)
        .collect();
    assert_eq!(failed.len(), 230);
    assert!(
        attempts.windows(2).all(|pair| pair[0].at >= pair[1].at),
        "newest first"
    );
    assert_eq!(
        list(OffsetDateTime::now_utc() + Duration::HOUR).await,
        Ok(Vec::new())
    );

    let lost = failed[0];
    client
        .redeliver(&fixture.ada, &fixture.remote, &hook.id, &lost.id)
        .await
        .unwrap();
    until("it has come again", async || {
        (receiver.delivery_ids().len() == 232).then_some(())
    })
    .await;
    assert_eq!(receiver.delivery_ids().last(), Some(&lost.delivery_id));
    let newest = until("it is known to have come", async || {
        let newest = list(long_ago).await.unwrap().remove(0);
        newest.succeeded.then_some(newest)
    })
    .await;
    assert_eq!(
        (&newest.delivery_id, newest.event.as_str()),
        (&lost.delivery_id, "issues")
    );
    assert_ne!(newest.id, lost.id);
    let unknown = client
        .redeliver(&fixture.ada, &fixture.remote, &hook.id, "1")
        .await;
    assert_eq!(unknown, Err(ProviderError::NotFound("such delivery")));
}

#[tokio::test]
async fn a_refusal_names_the_permission_that_webhooks_need() {
    let fixture = Fixture::start().await;
    let reader = fixture.fine_token("ada", &[("metadata", "read"), ("repository_hooks", "read")]);
    let refused = fixture
        .client
        .create_hook(&reader, &fixture.remote, &spec("http://x", "s"))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the credential may not change webhooks: it needs Webhooks: Read and write"
    );
    let writer = fixture.classic_token("bob", &["repo"]);
    let unseen = fixture
        .client
        .list_hooks(&writer, &fixture.remote, "http://x")
        .await;
    assert_eq!(unseen, Err(ProviderError::NotFound("webhooks to show")));
}
