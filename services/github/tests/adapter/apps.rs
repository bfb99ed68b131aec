//! Installations of an app: tokens for one repository, made when they are needed.
use std::time::Duration;

use ck8s_provider::{Credential, ProviderError, RepositoryProvider};
use ck8s_tests::github::Repository;

use crate::scene::{APP, EVERYTHING, Scene};

const MINT: &str = "/access_tokens";

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end() {
    let scene = Scene::start().await;
    let app = scene.app(&EVERYTHING);
    let hooks = async || scene.adapter.hooks(&app, &scene.remote, "http://x").await;
    for _ in 0..3 {
        assert_eq!(hooks().await, Ok(Vec::new()));
    }
    assert_eq!(scene.asked("POST", MINT), 1);
    // Another app, whose tokens end so soon that none is used twice.
    let app = scene.app(&EVERYTHING);
    scene.github.world().installed_lives = Duration::from_secs(240);
    for _ in 0..3 {
        let found = scene.adapter.hooks(&app, &scene.remote, "http://x").await;
        assert_eq!(found, Ok(Vec::new()));
    }
    assert_eq!(scene.asked("POST", MINT), 4);
}

#[tokio::test]
async fn two_who_ask_at_once_make_one_token() {
    let scene = Scene::start().await;
    let app = scene.app(&EVERYTHING);
    let hooks = async || scene.adapter.hooks(&app, &scene.remote, "http://x").await;
    let (a, b, c) = tokio::join!(hooks(), hooks(), hooks());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(scene.asked("POST", MINT), 1);
}

#[tokio::test]
async fn a_token_that_was_revoked_is_replaced_once() {
    let scene = Scene::start().await;
    let app = scene.app(&EVERYTHING);
    let may = async || scene.adapter.may_write(&app, &scene.remote, "bob").await;
    assert_eq!(may().await, Ok(true));
    scene.github.world().revoke_installed();
    assert_eq!(may().await, Ok(true));
    assert_eq!(scene.asked("POST", MINT), 2);
    // Of many who meet the revoked one, each goes on with the same new one.
    scene.github.world().revoke_installed();
    let (a, b, c) = tokio::join!(may(), may(), may());
    assert_eq!([a, b, c], [Ok(true), Ok(true), Ok(true)]);
    assert_eq!(scene.asked("POST", MINT), 3);
}

#[tokio::test]
async fn a_token_reaches_one_repository() {
    let scene = Scene::start().await;
    let app = {
        let mut world = scene.github.world();
        let other = Repository::new(7002, "acme/other");
        world.repositories.insert(7002, other);
        world.install("both", &[APP, 7002], &EVERYTHING)
    };
    let app = Credential::App {
        app_id: app.app_id.to_string(),
        installation_id: app.id.to_string(),
        private_key: app.private_key.into(),
    };
    let (other, _) = scene.adapter.look_up(&app, "acme/other").await.unwrap();
    assert!(
        scene
            .adapter
            .hooks(&app, &scene.remote, "http://x")
            .await
            .is_ok()
    );
    assert!(scene.adapter.hooks(&app, &other, "http://x").await.is_ok());
    let world = scene.github.world();
    let exchanges = world.exchanges.iter().flatten();
    let minted = exchanges.filter(|exchange| exchange.path.ends_with(MINT));
    let asked: Vec<_> = minted
        .map(|e| e.request.clone().unwrap().to_string())
        .collect();
    assert_eq!(
        asked,
        [
            r#"{"repositories":["other"]}"#,
            r#"{"repository_ids":[7001]}"#,
            r#"{"repository_ids":[7002]}"#,
        ]
    );
}

#[tokio::test]
async fn an_app_that_is_not_what_it_says_gets_nothing() {
    let scene = Scene::start().await;
    let good = scene.app(&EVERYTHING);
    let Credential::App {
        app_id,
        installation_id,
        private_key,
    } = &good
    else {
        unreachable!()
    };
    let other = scene.app(&EVERYTHING);
    let Credential::App {
        private_key: other_key,
        ..
    } = &other
    else {
        unreachable!()
    };
    let made = |app: &str, installation: &str, key: &secrecy::SecretString| Credential::App {
        app_id: app.to_owned(),
        installation_id: installation.to_owned(),
        private_key: key.clone(),
    };
    let look = async |credential: Credential, name: &str| {
        scene.adapter.look_up(&credential, name).await.unwrap_err()
    };
    let unseen = ProviderError::NotFound("such installation of the app for this repository");
    let stolen = made(app_id, installation_id, other_key);
    assert_eq!(
        look(stolen, "acme/app").await,
        ProviderError::Unauthenticated
    );
    let elsewhere = made(app_id, "1", private_key);
    assert_eq!(look(elsewhere, "acme/app").await, unseen);
    assert_eq!(look(good.clone(), "acme/unknown").await, unseen);
    for (app, key) in [("x", private_key), (app_id, &"no key".into())] {
        let wrong = made(app, installation_id, key);
        assert!(matches!(
            look(wrong, "acme/app").await,
            ProviderError::Invalid(_)
        ));
    }
}
