//! The permissions that a credential is missing, who may write, and the account of a credential.
use ck8s_provider::{ProviderError, RepositoryProvider};

use crate::fixture::{ADA, ALL_PERMISSIONS, Fixture, credential};

const ALL: [&str; 5] = [
    "Contents: Read-only",
    "Webhooks: Read and write",
    "Commit statuses: Read and write",
    "Issues: Read and write",
    "Pull requests: Read and write",
];

#[tokio::test]
async fn a_token_with_all_permissions_misses_none() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.missing_permissions(&fixture.ada).await, [""; 0]);
    assert_eq!(
        fixture
            .missing_permissions(&fixture.fine_token("ada", &ALL_PERMISSIONS))
            .await,
        [""; 0]
    );
    assert_eq!(
        fixture
            .missing_permissions(&fixture.app(&ALL_PERMISSIONS))
            .await,
        [""; 0]
    );
    let mut world = fixture.github.world();
    let repository = world.repository(crate::fixture::APP);
    assert!(repository.hooks.is_empty(), "a probe changes nothing");
    assert!(repository.statuses.is_empty() && repository.comments.is_empty());
}

#[tokio::test]
async fn each_missing_permission_is_named_alone() {
    let fixture = Fixture::start().await;
    for (missing, (name, level)) in ALL.iter().zip(&ALL_PERMISSIONS[1..]) {
        let mut may = ALL_PERMISSIONS.to_vec();
        may.retain(|(other, _)| other != name);
        assert_eq!(
            fixture
                .missing_permissions(&fixture.fine_token("ada", &may))
                .await,
            [*missing],
            "fine"
        );
        assert_eq!(
            fixture.missing_permissions(&fixture.app(&may)).await,
            [*missing],
            "app"
        );
        if *level == "write" {
            may.push((name, "read"));
            assert_eq!(
                fixture.missing_permissions(&fixture.app(&may)).await,
                [*missing],
                "app, read"
            );
            // No harmless request shows whether a token that reads pull requests may also write them.
            let known: &[&str] = if *name == "pull_requests" {
                &[]
            } else {
                &[*missing]
            };
            assert_eq!(
                fixture
                    .missing_permissions(&fixture.fine_token("ada", &may))
                    .await,
                known,
                "fine, read"
            );
        }
    }
    let nothing = fixture.fine_token("ada", &[("metadata", "read")]);
    assert_eq!(fixture.missing_permissions(&nothing).await, ALL);
}

#[tokio::test]
async fn missing_scopes_and_roles_are_named_too() {
    let fixture = Fixture::start().await;
    assert_eq!(
        fixture
            .missing_permissions(&fixture.classic_token("bob", &["repo"]))
            .await,
        ["repository role Admin"]
    );
    assert_eq!(
        fixture
            .missing_permissions(&fixture.classic_token("tim", &["repo"]))
            .await,
        ["repository role Admin", "repository role Write"]
    );
    fixture
        .github
        .world()
        .repository(crate::fixture::APP)
        .private = false;
    assert_eq!(
        fixture
            .missing_permissions(&fixture.classic_token("ada", &["public_repo"]))
            .await,
        ["scope write:repo_hook"]
    );
    assert_eq!(
        fixture
            .missing_permissions(&fixture.classic_token("ada", &[]))
            .await,
        ["scope public_repo", "scope write:repo_hook"]
    );
}

#[tokio::test]
async fn a_repository_that_a_credential_may_not_see_is_not_found() {
    let fixture = Fixture::start().await;
    let (other, none) = (
        fixture.classic_token("eve", &["repo"]),
        credential("ghp_nobody"),
    );
    let broken = credential("no\ntoken");
    let look = async |credential, name| {
        fixture
            .client
            .find_repository(credential, name)
            .await
            .unwrap_err()
    };
    let unseen = ProviderError::NotFound("such repository");
    assert_eq!(look(&other, "acme/app").await, unseen);
    assert_eq!(look(&fixture.ada, "acme/other").await, unseen);
    assert_eq!(
        look(&none, "acme/app").await,
        ProviderError::Unauthenticated
    );
    assert_eq!(
        look(&broken, "acme/app").await,
        ProviderError::Invalid("the credential has characters that no token has".to_owned())
    );
    assert!(matches!(
        look(&fixture.ada, "acme").await,
        ProviderError::Invalid(_)
    ));
}

#[tokio::test]
async fn the_role_decides_who_may_write() {
    let fixture = Fixture::start().await;
    let may = async |login| {
        fixture
            .client
            .may_write(&fixture.ada, &fixture.remote, login)
            .await
    };
    for login in ["ada", "bob", "mae"] {
        assert_eq!(may(login).await, Ok(true), "{login}");
    }
    for login in ["tim", "eve", "nobody", "dependabot[bot]"] {
        assert_eq!(may(login).await, Ok(false), "{login}");
    }
    let reader = fixture.classic_token("tim", &["repo"]);
    let refused = fixture
        .client
        .may_write(&reader, &fixture.remote, "ada")
        .await;
    assert!(
        matches!(refused, Err(ProviderError::Denied { .. })),
        "{refused:?}"
    );
    fixture.github.world().repositories.clear();
    assert_eq!(
        may("ada").await,
        Err(ProviderError::NotFound("such repository"))
    );
}

#[tokio::test]
async fn the_head_of_a_pull_request_is_read_with_its_repository() {
    let fixture = Fixture::start().await;
    let head = async || {
        let client = &fixture.client;
        client
            .pull_request_head(&fixture.ada, &fixture.remote, 6)
            .await
    };
    let own = head().await.unwrap();
    assert_eq!(own.commit, "c".repeat(40));
    assert_eq!(
        (own.branch.as_str(), own.base_branch.as_str()),
        ("topic", "main")
    );
    assert_eq!(
        own.repository.unwrap().external_id,
        crate::fixture::APP.to_string()
    );
    let updated_at = own.updated_at.unwrap();
    assert_eq!(updated_at.unix_timestamp(), 1_800_000_000);
    {
        let mut world = fixture.github.world();
        // GitHub's description leaves it out that a head's repository may be gone: this exchange is not checked.
        world.exchanges = None;
        let gone = crate::fixture::pull_request(None);
        world
            .repository(crate::fixture::APP)
            .open_pull_request(6, gone);
    }
    assert_eq!(head().await.unwrap().repository, None);
    let missing = fixture
        .client
        .pull_request_head(&fixture.ada, &fixture.remote, 7)
        .await;
    assert_eq!(missing, Err(ProviderError::NotFound("such pull request")));
}

#[tokio::test]
async fn the_account_of_a_credential_is_read_once() {
    let fixture = Fixture::start().await;
    for _ in 0..2 {
        let actor = fixture.client.actor(&fixture.ada).await.unwrap();
        assert_eq!(
            (actor.external_id, actor.login),
            (ADA.to_string(), "ada".to_owned())
        );
    }
    assert_eq!(fixture.count_requests("GET", "/user"), 1);
    let app = fixture.app(&ALL_PERMISSIONS);
    let bot = fixture.client.actor(&app).await.unwrap();
    assert_eq!(bot.login, "ck8s[bot]");
}

#[tokio::test]
async fn a_renamed_repository_is_found() {
    let fixture = Fixture::start().await;
    let app = fixture.app(&ALL_PERMISSIONS);
    fixture
        .github
        .world()
        .repository(crate::fixture::APP)
        .rename("acme/new");
    let (found, _) = fixture
        .client
        .find_repository(&fixture.ada, "acme/app")
        .await
        .unwrap();
    assert_eq!(found.full_name, "acme/new");
    for credential in [&fixture.ada, &app] {
        let may = fixture
            .client
            .may_write(credential, &fixture.remote, "bob")
            .await;
        assert_eq!(may, Ok(true), "by its former name");
        let said = fixture
            .client
            .create_comment(credential, &fixture.remote, &thread(), "hello")
            .await;
        assert!(said.is_ok(), "{said:?}");
    }
    let mut world = fixture.github.world();
    assert_eq!(
        world.repository(crate::fixture::APP).comments_in(5).len(),
        2
    );
}

fn thread() -> ck8s_provider::Thread {
    ck8s_provider::Thread { number: 5 }
}
