//! Installations of an app: their tokens, each for one repository, created when they are needed.
use std::time::Duration;

use ck8s_provider::{Credential, ProviderError, RepositoryProvider};
use ck8s_tests::github::Repository;

use crate::fixture::{ALL_PERMISSIONS, APP, Fixture};

const CREATE_TOKEN: &str = "/access_tokens";

#[tokio::test]
async fn a_token_is_reused_until_shortly_before_its_end() {
    let fixture = Fixture::start().await;
    let app = fixture.app(&ALL_PERMISSIONS);
    let hooks = async || {
        fixture
            .client
            .list_hooks(&app, &fixture.remote, "http://x")
            .await
    };
    for _ in 0..3 {
        assert_eq!(hooks().await, Ok(Vec::new()));
    }
    assert_eq!(fixture.count_requests("POST", CREATE_TOKEN), 1);
    // The tokens of another app end so soon that none is used twice.
    let app = fixture.app(&ALL_PERMISSIONS);
    fixture.github.world().installed_lives = Duration::from_secs(240);
    for _ in 0..3 {
        let found = fixture
            .client
            .list_hooks(&app, &fixture.remote, "http://x")
            .await;
        assert_eq!(found, Ok(Vec::new()));
    }
    assert_eq!(fixture.count_requests("POST", CREATE_TOKEN), 4);
}

#[tokio::test]
async fn concurrent_requests_create_one_token() {
    let fixture = Fixture::start().await;
    let app = fixture.app(&ALL_PERMISSIONS);
    let hooks = async || {
        fixture
            .client
            .list_hooks(&app, &fixture.remote, "http://x")
            .await
    };
    let (a, b, c) = tokio::join!(hooks(), hooks(), hooks());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(fixture.count_requests("POST", CREATE_TOKEN), 1);
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once() {
    let fixture = Fixture::start().await;
    let app = fixture.app(&ALL_PERMISSIONS);
    let may = async || fixture.client.may_write(&app, &fixture.remote, "bob").await;
    assert_eq!(may().await, Ok(true));
    fixture.github.world().revoke_installed();
    assert_eq!(may().await, Ok(true));
    assert_eq!(fixture.count_requests("POST", CREATE_TOKEN), 2);
    // All requests that meet the revoked token go on with the same new one.
    fixture.github.world().revoke_installed();
    let (a, b, c) = tokio::join!(may(), may(), may());
    assert_eq!([a, b, c], [Ok(true), Ok(true), Ok(true)]);
    assert_eq!(fixture.count_requests("POST", CREATE_TOKEN), 3);
}

#[tokio::test]
async fn a_token_reaches_one_repository() {
    let fixture = Fixture::start().await;
    let app = {
        let mut world = fixture.github.world();
        let other = Repository::new(7002, "acme/other");
        world.repositories.insert(7002, other);
        world.install("both", &[APP, 7002], &ALL_PERMISSIONS)
    };
    let app = Credential::App {
        app_id: app.app_id.to_string(),
        installation_id: app.id.to_string(),
        private_key: app.private_key.into(),
    };
    let (other, _) = fixture
        .client
        .find_repository(&app, "acme/other")
        .await
        .unwrap();
    assert!(
        fixture
            .client
            .list_hooks(&app, &fixture.remote, "http://x")
            .await
            .is_ok()
    );
    assert!(
        fixture
            .client
            .list_hooks(&app, &other, "http://x")
            .await
            .is_ok()
    );
    let world = fixture.github.world();
    let exchanges = world.exchanges.iter().flatten();
    let created = exchanges.filter(|exchange| exchange.path.ends_with(CREATE_TOKEN));
    let asked: Vec<_> = created
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
async fn an_app_with_a_wrong_part_of_its_credential_is_refused() {
    let fixture = Fixture::start().await;
    let good = fixture.app(&ALL_PERMISSIONS);
    let Credential::App {
        app_id,
        installation_id,
        private_key,
    } = &good
    else {
        unreachable!()
    };
    let other = fixture.app(&ALL_PERMISSIONS);
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
        fixture
            .client
            .find_repository(&credential, name)
            .await
            .unwrap_err()
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
