//! What a credential lacks, named in GitHub's words; who may write; whose it is.
use ck8s_provider::{ProviderError, RepositoryProvider};

use crate::scene::{ADA, EVERYTHING, Scene, credential};

const ALL: [&str; 5] = [
    "Contents: Read-only",
    "Webhooks: Read and write",
    "Commit statuses: Read and write",
    "Issues: Read and write",
    "Pull requests: Read and write",
];

#[tokio::test]
async fn a_token_with_everything_lacks_nothing() {
    let scene = Scene::start().await;
    assert_eq!(scene.lacking(&scene.ada).await, [""; 0]);
    assert_eq!(
        scene.lacking(&scene.fine("ada", &EVERYTHING)).await,
        [""; 0]
    );
    assert_eq!(scene.lacking(&scene.app(&EVERYTHING)).await, [""; 0]);
    let mut world = scene.github.world();
    let repository = world.repository(crate::scene::APP);
    assert!(repository.hooks.is_empty(), "a probe changes nothing");
    assert!(repository.statuses.is_empty() && repository.comments.is_empty());
}

#[tokio::test]
async fn each_permission_that_is_missing_is_named_alone() {
    let scene = Scene::start().await;
    for (missing, (name, level)) in ALL.iter().zip(&EVERYTHING[1..]) {
        let mut may = EVERYTHING.to_vec();
        may.retain(|(other, _)| other != name);
        assert_eq!(
            scene.lacking(&scene.fine("ada", &may)).await,
            [*missing],
            "fine"
        );
        assert_eq!(scene.lacking(&scene.app(&may)).await, [*missing], "app");
        if *level == "write" {
            may.push((name, "read"));
            assert_eq!(
                scene.lacking(&scene.app(&may)).await,
                [*missing],
                "app, read"
            );
            // A token that reads pull requests shows by no harmless request whether it writes them.
            let known: &[&str] = if *name == "pull_requests" {
                &[]
            } else {
                &[*missing]
            };
            assert_eq!(
                scene.lacking(&scene.fine("ada", &may)).await,
                known,
                "fine, read"
            );
        }
    }
    let nothing = scene.fine("ada", &[("metadata", "read")]);
    assert_eq!(scene.lacking(&nothing).await, ALL);
}

#[tokio::test]
async fn scopes_and_roles_are_named_too() {
    let scene = Scene::start().await;
    assert_eq!(
        scene.lacking(&scene.classic("bob", &["repo"])).await,
        ["repository role Admin"]
    );
    assert_eq!(
        scene.lacking(&scene.classic("tim", &["repo"])).await,
        ["repository role Admin", "repository role Write"]
    );
    scene.github.world().repository(crate::scene::APP).private = false;
    assert_eq!(
        scene.lacking(&scene.classic("ada", &["public_repo"])).await,
        ["scope write:repo_hook"]
    );
    assert_eq!(
        scene.lacking(&scene.classic("ada", &[])).await,
        ["scope public_repo", "scope write:repo_hook"]
    );
}

#[tokio::test]
async fn what_a_credential_may_not_see_is_not_there() {
    let scene = Scene::start().await;
    let (other, none) = (scene.classic("eve", &["repo"]), credential("ghp_nobody"));
    let broken = credential("no\ntoken");
    let look = async |credential, name| scene.adapter.look_up(credential, name).await.unwrap_err();
    let unseen = ProviderError::NotFound("such repository");
    assert_eq!(look(&other, "acme/app").await, unseen);
    assert_eq!(look(&scene.ada, "acme/other").await, unseen);
    assert_eq!(
        look(&none, "acme/app").await,
        ProviderError::Unauthenticated
    );
    assert_eq!(
        look(&broken, "acme/app").await,
        ProviderError::Invalid("the credential has characters that no token has".to_owned())
    );
    assert!(matches!(
        look(&scene.ada, "acme").await,
        ProviderError::Invalid(_)
    ));
}

#[tokio::test]
async fn who_writes_is_known_by_their_role() {
    let scene = Scene::start().await;
    let may = async |login| {
        scene
            .adapter
            .may_write(&scene.ada, &scene.remote, login)
            .await
    };
    for login in ["ada", "bob", "mae"] {
        assert_eq!(may(login).await, Ok(true), "{login}");
    }
    for login in ["tim", "eve", "nobody", "dependabot[bot]"] {
        assert_eq!(may(login).await, Ok(false), "{login}");
    }
    let reader = scene.classic("tim", &["repo"]);
    let refused = scene.adapter.may_write(&reader, &scene.remote, "ada").await;
    assert!(
        matches!(refused, Err(ProviderError::Denied { .. })),
        "{refused:?}"
    );
    scene.github.world().repositories.clear();
    assert_eq!(
        may("ada").await,
        Err(ProviderError::NotFound("such repository"))
    );
}

#[tokio::test]
async fn whose_it_is_is_asked_once() {
    let scene = Scene::start().await;
    for _ in 0..2 {
        let actor = scene.adapter.actor(&scene.ada).await.unwrap();
        assert_eq!(
            (actor.external_id, actor.login),
            (ADA.to_string(), "ada".to_owned())
        );
    }
    assert_eq!(scene.asked("GET", "/user"), 1);
    let app = scene.app(&EVERYTHING);
    let bot = scene.adapter.actor(&app).await.unwrap();
    assert_eq!(bot.login, "ck8s[bot]");
}

#[tokio::test]
async fn a_renamed_repository_is_found() {
    let scene = Scene::start().await;
    let app = scene.app(&EVERYTHING);
    scene
        .github
        .world()
        .repository(crate::scene::APP)
        .rename("acme/new");
    let (found, _) = scene.adapter.look_up(&scene.ada, "acme/app").await.unwrap();
    assert_eq!(found.full_name, "acme/new");
    for credential in [&scene.ada, &app] {
        let may = scene
            .adapter
            .may_write(credential, &scene.remote, "bob")
            .await;
        assert_eq!(may, Ok(true), "by its former name");
        let said = scene
            .adapter
            .create_comment(credential, &scene.remote, &thread(), "hello")
            .await;
        assert!(said.is_ok(), "{said:?}");
    }
    let mut world = scene.github.world();
    assert_eq!(world.repository(crate::scene::APP).comments_in(5).len(), 2);
}

fn thread() -> ck8s_provider::Thread {
    ck8s_provider::Thread { number: 5 }
}
