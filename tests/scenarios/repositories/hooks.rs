//! Hooks that are gone, turned off, or post to a former address.
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_hook_is_reported_and_mended_and_is_removed_with_its_repository() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    github.world().repository(501).hooks.clear();
    let found = check(&world, "acme/one").await;
    let hook = found.iter().find(|f| f.0 == "hook").unwrap();
    assert_eq!(hook.1, Standing::Wrong, "{hook:?}");
    let request = pb::MendRepositoryRequest {
        request_id: new_id(),
        repository: "acme/one".to_owned(),
    };
    world
        .admin
        .repositories()
        .mend_repository(request)
        .await
        .unwrap();
    assert_eq!(
        github.emit(501, "issues", &issue(501, "acme/one")).await,
        [202]
    );

    let remove = |name: &str| pb::RemoveRepositoryRequest {
        request_id: new_id(),
        repository: name.to_owned(),
    };
    let gone = world
        .admin
        .repositories()
        .remove_repository(remove("acme/one"))
        .await;
    assert_eq!(gone.unwrap().into_inner().hook_left, "");
    assert!(github.world().repository(501).hooks.is_empty());
    add(&world, "shop", "acme/two", &token).await;
    github.world().revoke(&token);
    let gone = world
        .admin
        .repositories()
        .remove_repository(remove("acme/two"))
        .await;
    let left = gone.unwrap().into_inner().hook_left;
    assert!(left.contains("does not know the credential"), "{left}");
    assert!(
        !world
            .admin
            .repositories_named()
            .await
            .contains(&"acme/two".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_is_turned_off_is_noticed_without_a_check() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    // As if ten minutes had passed.
    let looked_at = async |on: bool| {
        github.world().repository(501).hooks[0].active = on;
        sqlx::query("UPDATE repositories.repositories SET services_checked_at = now() - interval '11 minutes' WHERE external_id = '501'")
            .execute(&world.owner)
            .await
            .unwrap();
        until("it is noticed", async || {
            let problem = get(&world, "acme/one").await.hook_problem;
            (problem.is_empty() == on).then_some(problem)
        })
        .await
    };
    let problem = looked_at(false).await;
    assert!(problem.contains("is turned off"), "{problem}");
    looked_at(true).await;
    let kinds: Vec<String> = sqlx::query_scalar(
        "SELECT kind FROM audit.flow_events WHERE kind LIKE 'repository.hook_%' ORDER BY xact, seq",
    )
    .fetch_all(&world.owner)
    .await
    .unwrap();
    assert_eq!(kinds, ["repository.hook_lost", "repository.hook_found"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_posts_to_a_former_address_is_taken_over() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let (id, url) = {
        let mut at_github = github.world();
        let hook = &mut at_github.repository(501).hooks[0];
        let before = (hook.id, hook.url.clone());
        hook.url = "http://127.0.0.1:9/where/we/were".to_owned();
        before
    };
    let found = check(&world, "acme/one").await;
    let hook = found.iter().find(|f| f.0 == "hook").unwrap();
    assert_eq!(hook.1, Standing::Wrong, "{hook:?}");
    let request = pb::MendRepositoryRequest {
        request_id: new_id(),
        repository: "acme/one".to_owned(),
    };
    let mut service = world.admin.repositories();
    service.mend_repository(request).await.unwrap();
    let hooks = github.world().repository(501).hooks.clone();
    let all: Vec<_> = hooks.iter().map(|hook| (hook.id, &hook.url)).collect();
    assert_eq!(all, [(id, &url)]);
}
