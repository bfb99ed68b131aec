//! Webhooks: made, changed, pinged, removed; what they could not deliver is delivered again.
use ck8s_github::EVENTS;
use ck8s_provider::{HookSpec, ProviderError, RepositoryProvider};
use ck8s_tests::{until, webhook::signature};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::{
    receiver::Receiver,
    scene::{APP, EVERYTHING, Scene},
};

fn spec(url: &str, secret: &str) -> HookSpec {
    HookSpec {
        url: url.to_owned(),
        secret: secret.to_owned().into(),
    }
}

#[tokio::test]
async fn a_webhook_lives_and_dies() {
    let (scene, receiver) = (Scene::start().await, Receiver::start().await);
    let adapter = &scene.adapter;
    for credential in [scene.ada.clone(), scene.app(&EVERYTHING)] {
        let spec_one = spec(&receiver.url, "secret one");
        let hook = adapter
            .create_hook(&credential, &scene.remote, &spec_one)
            .await
            .unwrap();
        assert!(hook.active && hook.complete, "{hook:?}");
        let twice = adapter
            .create_hook(&credential, &scene.remote, &spec_one)
            .await;
        let why = "Validation Failed; Hook already exists on this repository";
        assert_eq!(twice, Err(ProviderError::Invalid(why.to_owned())));
        {
            let mut world = scene.github.world();
            let made = &world.repository(APP).hooks[0];
            assert_eq!(
                (made.secret.as_str(), made.content_type.as_str()),
                ("secret one", "json")
            );
            assert_eq!(made.events, EVENTS);
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
        let found = adapter
            .hooks(&credential, &scene.remote, &receiver.url)
            .await
            .unwrap();
        assert_eq!(found.len(), 1, "of two one is ours");
        assert_eq!((found[0].active, found[0].complete), (false, false));
        let spec_two = spec(&receiver.url, "secret two");
        let hook = adapter
            .update_hook(&credential, &scene.remote, &hook.id, &spec_two)
            .await
            .unwrap();
        assert!(hook.active && hook.complete, "{hook:?}");
        assert_eq!(
            scene.github.world().repository(APP).hooks[0].secret,
            "secret two"
        );
        for _ in 0..2 {
            adapter
                .delete_hook(&credential, &scene.remote, &hook.id)
                .await
                .unwrap();
        }
        let gone = adapter
            .update_hook(&credential, &scene.remote, &hook.id, &spec_two)
            .await;
        assert_eq!(gone, Err(ProviderError::NotFound("such webhook")));
        let gone = adapter
            .ping_hook(&credential, &scene.remote, &hook.id)
            .await;
        assert_eq!(gone, Err(ProviderError::NotFound("such webhook")));
        scene.github.world().repository(APP).hooks.clear();
    }
}

#[tokio::test]
async fn a_ping_comes_signed() {
    let (scene, receiver) = (Scene::start().await, Receiver::start().await);
    let spec = spec(&receiver.url, "a secret");
    let hook = scene
        .adapter
        .create_hook(&scene.ada, &scene.remote, &spec)
        .await
        .unwrap();
    scene
        .adapter
        .ping_hook(&scene.ada, &scene.remote, &hook.id)
        .await
        .unwrap();
    until("both pings have come", async || {
        (receiver.ids().len() == 2).then_some(())
    })
    .await;
    for (headers, body) in receiver.came.lock().unwrap().iter() {
        assert_eq!(headers["x-github-event"], "ping");
        assert_eq!(
            headers["x-hub-signature-256"],
            signature("a secret", body).as_str()
        );
        assert_eq!(headers["x-github-hook-id"], hook.id.as_str());
    }
}

#[tokio::test]
async fn what_could_not_be_delivered_is_found_and_delivered_again() {
    let (scene, receiver) = (Scene::start().await, Receiver::start().await);
    let adapter = &scene.adapter;
    let spec = spec(&receiver.url, "a secret");
    let hook = adapter
        .create_hook(&scene.ada, &scene.remote, &spec)
        .await
        .unwrap();
    until("it was pinged", async || {
        (receiver.ids().len() == 1).then_some(())
    })
    .await;
    *receiver.answers.lock().unwrap() = http::StatusCode::SERVICE_UNAVAILABLE;
    for number in 0..230 {
        let payload = json!({ "action": "opened", "number": number });
        assert_eq!(scene.github.emit(APP, "issues", &payload).await, [503]);
    }
    assert!(
        scene.github.emit(APP, "watch", &json!({})).await.is_empty(),
        "not heard of"
    );
    *receiver.answers.lock().unwrap() = http::StatusCode::ACCEPTED;
    let long_ago = OffsetDateTime::now_utc() - Duration::DAY;
    let list = async |since| {
        adapter
            .hook_attempts(&scene.ada, &scene.remote, &hook.id, since)
            .await
    };
    // More come while the list is read; they hide nothing.
    scene.github.world().after_page(|world| {
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
    adapter
        .redeliver(&scene.ada, &scene.remote, &hook.id, &lost.id)
        .await
        .unwrap();
    until("it has come again", async || {
        (receiver.ids().len() == 232).then_some(())
    })
    .await;
    assert_eq!(receiver.ids().last(), Some(&lost.delivery_id));
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
    let unknown = adapter
        .redeliver(&scene.ada, &scene.remote, &hook.id, "1")
        .await;
    assert_eq!(unknown, Err(ProviderError::NotFound("such delivery")));
}

#[tokio::test]
async fn who_may_not_change_webhooks_is_told_what_it_takes() {
    let scene = Scene::start().await;
    let reader = scene.fine("ada", &[("metadata", "read"), ("repository_hooks", "read")]);
    let refused = scene
        .adapter
        .create_hook(&reader, &scene.remote, &spec("http://x", "s"))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the credential may not change webhooks: it needs Webhooks: Read and write"
    );
    let writer = scene.classic("bob", &["repo"]);
    let unseen = scene
        .adapter
        .hooks(&writer, &scene.remote, "http://x")
        .await;
    assert_eq!(unseen, Err(ProviderError::NotFound("webhooks to show")));
}
