//! Changes of a repository, in ck8s and at GitHub.
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_previous_secret_is_valid_until_the_new_one_is_in_use() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let old = secret(&github, 501);
    let request = pb::RotateWebhookSecretRequest {
        request_id: new_id(),
        repository: "acme/one".to_owned(),
        ..Default::default()
    };
    let mut service = world.admin.repositories();
    let answer = service.rotate_webhook_secret(request).await.unwrap();
    assert_eq!(answer.into_inner().webhook_secret, "", "it stays with ck8s");
    let new = secret(&github, 501);
    assert_ne!(old, new);
    for signed_with in [&old, &new] {
        let body = issue(501, "acme/one").to_string().into_bytes();
        let webhook = Webhook::new("issues", body, signed_with);
        let sent = webhook.send_to(&world.ready.url).await;
        assert_eq!(sent.unwrap().status, 202);
    }
    // The ping showed that the new one is in use, so the old one ends in minutes, not in a day.
    until("the old one is retired", async || {
        let until = get(&world, "acme/one").await.previous_secret_expire_time?;
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        (until.seconds - now <= 300).then_some(())
    })
    .await;
    world.nowhere(&[("old", &old), ("new", &new)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_read_and_a_broken_file_marks_its_commit_and_leaves_the_good_one_in_force() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let push = |sha: &str| {
        json!({
            "ref": "refs/heads/main", "after": sha,
            "repository": { "id": 501, "full_name": "acme/one" },
            "sender": { "login": "ada", "type": "User" }, "commits": [],
        })
    };
    let broken = github
        .world()
        .repository(501)
        .push("main", &[(FILE, Some("version: 1\ntriggers: 7\n"))]);
    github.emit(501, "push", &push(&broken)).await;
    let after = until("the problem is seen", async || {
        let after = get(&world, "acme/one").await;
        (!after.services_problem.is_empty()).then_some(after)
    })
    .await;
    assert_eq!(
        after.services.unwrap().triggers.len(),
        2,
        "the good one stays"
    );
    assert_eq!(after.services_commit, broken);
    until("the commit says so", async || {
        let shown = github.world().repository(501).shown_statuses(&broken);
        let status = shown.get("ck8s/services.yaml")?;
        (status.state == "error").then_some(())
    })
    .await;
    let found = check(&world, "acme/one").await;
    let wrong = found.iter().find(|f| f.0 == "services_yaml").unwrap();
    assert_eq!(wrong.1, Standing::Wrong, "{wrong:?}");

    let one = "version: 1\ntriggers: [{name: a, on: {event: push}, run: {command: x}}]\n";
    let good = github
        .world()
        .repository(501)
        .push("main", &[(FILE, Some(one))]);
    github.emit(501, "push", &push(&good)).await;
    until("the new one is in force", async || {
        let after = get(&world, "acme/one").await;
        let triggers = after.services?.triggers.len();
        (after.services_problem.is_empty() && triggers == 1).then_some(())
    })
    .await;

    let deaf = "version: 1\ntriggers: [{name: b, on: {event: star}, run: {command: x}}]\n";
    let deaf = [(FILE, Some(deaf))];
    github.world().repository(501).push("main", &deaf);
    let found = check(&world, "acme/one").await;
    let wrong = found.iter().find(|f| f.1 == Standing::Wrong).unwrap();
    assert!(wrong.2.contains("does not deliver"), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_is_followed_and_a_chosen_branch_stays() {
    let (github, world, token) = scene().await;
    let mut request = request("shop", "acme/one", &token);
    let release = [(FILE, Some(SERVICES))];
    github.world().repository(501).push("release", &release);
    request.default_branch = "release".to_owned();
    let mut service = world.admin.repositories();
    service.add_repository(request).await.expect("is added");
    add(&world, "shop", "acme/two", &token).await;
    for (id, name) in [(501, "acme/uno"), (502, "acme/due")] {
        let mut at_github = github.world();
        let repository = at_github.repository(id);
        repository.push("trunk", &release);
        repository.default_branch = "trunk".to_owned();
        repository.rename(name);
    }
    for (id, name, branch) in [(501, "acme/uno", "release"), (502, "acme/due", "trunk")] {
        let payload = json!({
            "action": "renamed",
            "repository": { "id": id, "full_name": name },
            "sender": { "login": "ada", "type": "User" },
        });
        assert_eq!(github.emit(id, "repository", &payload).await, [202]);
        until("it is followed", async || {
            let named = world.admin.repositories_named().await;
            named.contains(&name.to_owned()).then_some(())
        })
        .await;
        assert_eq!(get(&world, name).await.default_branch, branch);
    }
    for name in ["acme/uno", "acme/due"] {
        let found = check(&world, name).await;
        assert!(found.iter().all(|f| f.1 != Standing::Wrong), "{found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_repository_that_took_the_name_is_not_mistaken_for_ours() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    {
        let mut at_github = github.world();
        at_github.repository(501).rename("acme/moved");
        let evil = "version: 1\ntriggers: [{name: evil, on: {event: push}, run: {command: x}}]\n";
        let other = github::Repository::new(600, "acme/one")
            .with("ada", "admin")
            .with("robot", "admin")
            .file(FILE, evil);
        at_github.repositories.insert(600, other);
    }
    let found = check(&world, "acme/one").await;
    let wrong: Vec<&str> = found
        .iter()
        .filter(|f| f.1 == Standing::Wrong)
        .map(|f| f.0.as_str())
        .collect();
    assert!(
        wrong.contains(&"name") && wrong.contains(&"services_yaml"),
        "{found:#?}"
    );
    let ours = get(&world, "acme/one").await.services.unwrap();
    assert_eq!(ours.triggers[0].name, "label", "the last good one stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_another_token_is_set_the_old_one_may_be_revoked() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let rotate = |token: &str| pb::RotateCredentialRequest {
        request_id: new_id(),
        repository: "acme/one".to_owned(),
        credential: Some(pb::rotate_credential_request::Credential::Token(
            token.to_owned(),
        )),
    };
    let refused = world
        .admin
        .repositories()
        .rotate_credential(rotate("ghp_nobody"))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
    let fresh = github.world().classic_token("robot", &["repo"]);
    world
        .admin
        .repositories()
        .rotate_credential(rotate(&fresh))
        .await
        .unwrap();
    github.world().revoke(&token);
    let found = check(&world, "acme/one").await;
    assert!(found.iter().all(|f| f.1 != Standing::Wrong), "{found:#?}");
    world
        .nowhere(&[("the old token", &token), ("the new token", &fresh)])
        .await;
}
