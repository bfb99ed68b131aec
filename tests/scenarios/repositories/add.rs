//! A repository is added completely or not at all.
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_added_repository_works_at_once_and_each_has_its_own_secret() {
    let (github, world, token) = scene().await;
    let one = add(&world, "shop", "acme/one", &token).await;
    add(&world, "shop", "acme/two", &token).await;
    add(&world, "other", "acme/three", &token).await;
    assert_eq!(
        (one.external_id.as_str(), one.default_branch.as_str()),
        ("501", "main")
    );
    assert_eq!(one.services.unwrap().triggers.len(), 2);
    assert_eq!(one.services_problem, "");
    let mut secrets: Vec<String> = [501, 502, 503].map(|id| secret(&github, id)).to_vec();
    for id in [501, 502, 503] {
        let hooks = github.world().repository(id).hooks.clone();
        assert_eq!(hooks.len(), 1);
        assert!(hooks[0].active);
        assert_eq!(
            hooks[0].url,
            format!("{}/api/v1/webhooks/github", world.ready.url)
        );
        let name = ["acme/one", "acme/two", "acme/three"][usize::try_from(id - 501).unwrap()];
        assert_eq!(github.emit(id, "issues", &issue(id, name)).await, [202]);
    }
    until("each makes its run", async || {
        let all = world.admin.all_deliveries().await;
        let ran = all
            .iter()
            .filter(|d| d.state() == DeliveryState::RunCreated);
        (ran.count() == 3).then_some(())
    })
    .await;
    // A signature with another repository's secret, in the same project and in another.
    for other in [&secrets[1], &secrets[2]] {
        let body = issue(501, "acme/one").to_string().into_bytes();
        let mut http = ck8s_tests::Http::connect(&world.ready.url).await.unwrap();
        let answer = Webhook::new("issues", body, other).send(&mut http).await;
        assert_eq!(answer.unwrap().status, 401);
    }
    let found = check(&world, "acme/one").await;
    assert!(found.iter().all(|f| f.1 == Standing::Ok), "{found:#?}");

    for project in ["shop", "other"] {
        let refused = try_add(&world, project, "acme/one", &token)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");
        assert!(!refused.message().contains("shop"), "{refused:?}");
    }
    assert_eq!(github.world().repository(501).hooks.len(), 1);
    secrets.push(token);
    let all: Vec<(&str, &str)> = secrets.iter().map(|s| ("a secret", s.as_str())).collect();
    world.nowhere(&all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named_and_no_hook_is_made() {
    let (github, world, _) = scene().await;
    let weak = github
        .world()
        .fine_token("ada", 501, &[("metadata", "read"), ("contents", "read")]);
    let refused = try_add(&world, "shop", "acme/one", &weak)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("Webhooks: Read and write"),
        "{refused:?}"
    );
    let refused = try_add(&world, "shop", "acme/one", "ghp_nobody")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("looking up the repository"),
        "{refused:?}"
    );
    assert!(github.world().repository(501).hooks.is_empty());
    assert!(
        !world
            .admin
            .repositories_named()
            .await
            .contains(&"acme/one".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_addition_that_fails_on_the_way_is_undone_and_says_where_it_stopped() {
    let (github, world, token) = scene().await;
    for (path, step) in [
        ("/acme/one/hooks", "looking for hooks"),
        ("/pings", "pinging the hook"),
        ("/services.yaml", "reading services.yaml"),
    ] {
        github.world().switch_on(path, Fault::Status(422), 1);
        let refused = try_add(&world, "shop", "acme/one", &token)
            .await
            .unwrap_err();
        assert!(refused.message().contains(step), "{step}: {refused:?}");
        assert!(github.world().repository(501).hooks.is_empty(), "{step}");
        assert!(
            !world
                .admin
                .repositories_named()
                .await
                .contains(&"acme/one".to_owned())
        );
    }
    add(&world, "shop", "acme/one", &token).await;
    assert_eq!(github.world().repository(501).hooks.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_whose_ping_does_not_come_is_undone_with_what_github_says() {
    let (github, world, token) = scene().await;
    let blind = Setup::without_worker().github(&github);
    let nowhere = blind.env("CK8S_PUBLIC_URL", "http://127.0.0.1:9");
    let deaf = World::start(nowhere).await;
    deaf.admin.project("shop", 1).await;
    let refused = try_add(&deaf, "shop", "acme/one", &token)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    for word in [
        "waiting for the hook's ping",
        "http://127.0.0.1:9",
        "failed to connect",
    ] {
        assert!(refused.message().contains(word), "{word}: {refused:?}");
    }
    assert!(github.world().repository(501).hooks.is_empty());
    let named = deaf.admin.repositories_named().await;
    assert!(!named.contains(&"acme/one".to_owned()));
    // Nobody has the repository, so a server that GitHub can reach may add it.
    add(&world, "shop", "acme/one", &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_twice_at_once_adds_one_repository() {
    let (github, world, token) = scene().await;
    let request = request("shop", "acme/one", &token);
    let add = async || {
        let mut service = world.admin.repositories();
        service.add_repository(request.clone()).await
    };
    let (one, other) = tokio::join!(add(), add());
    for answer in [one, other] {
        match answer {
            Ok(added) => assert!(added.into_inner().repository.is_some()),
            Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
        }
    }
    let again = add().await.expect("the answer that was given");
    assert_eq!(again.into_inner().repository.unwrap().full_name, "acme/one");
    assert_eq!(github.world().repository(501).hooks.len(), 1);
}
