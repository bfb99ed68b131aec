//! A repository that was added by hand claims nothing: whoever has a credential takes its webhooks over.
use ck8s_proto::policy::v1::ProjectRole;
use ck8s_tests::{Api, Http, person};
use tonic_types::StatusExt;

use super::*;

/// Returns an admin of this project alone, who has no other rights.
async fn admin_of(world: &World, project: &str) -> Api {
    let email = format!("{project}@example.test");
    let someone = person(&world.admin, &world.owner, &email, false).await;
    someone
        .joins(&world.admin, project, ProjectRole::Admin)
        .await;
    Api::new(&world.ready.url, &someone.token)
}

/// Sends a webhook of acme/one that is signed with this secret. Returns the status of the answer.
async fn send(world: &World, secret: &str, delivery: &str) -> u16 {
    let body = issue(501, "acme/one").to_string().into_bytes();
    let webhook = Webhook::new("issues", body, secret).with("x-github-delivery", delivery);
    let mut http = Http::connect(&world.ready.url).await.unwrap();
    webhook.send(&mut http).await.unwrap().status
}

async fn named(api: &Api, name: &str) -> Result<Repository, Status> {
    let request = pb::GetRepositoryRequest {
        repository: name.to_owned(),
        project_ids: Vec::new(),
    };
    let answer = api.repositories().get_repository(request).await?;
    Ok(answer.into_inner().repository.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_projects_have_a_repository_by_hand_and_neither_learns_of_the_other() {
    let (_github, world, _) = scene().await;
    let (shop, other) = (
        admin_of(&world, "shop").await,
        admin_of(&world, "other").await,
    );
    let (ours, our_secret) = shop.repository("shop", "acme/one", 501, SERVICES).await;
    let (theirs, their_secret) = other.repository("other", "acme/one", 501, SERVICES).await;
    assert_ne!(ours.id, theirs.id);
    for (api, own, others) in [(&shop, &ours, &theirs), (&other, &theirs, &ours)] {
        assert_eq!(named(api, "acme/one").await.unwrap().id, own.id);
        let hidden = named(api, &others.id).await.unwrap_err();
        assert_eq!(hidden.code(), Code::NotFound);
        assert_eq!(api.repositories_named().await, ["acme/one"]);
    }

    // The same delivery id, signed by each: neither uses up the other's.
    let delivery = new_id();
    assert_eq!(send(&world, &our_secret, &delivery).await, 202);
    assert_eq!(send(&world, &their_secret, &delivery).await, 202);
    assert_eq!(send(&world, &their_secret, &delivery).await, 200);
    for (api, own) in [(&shop, &ours), (&other, &theirs)] {
        let run = until("each project has its run", async || {
            let runs = api.all_runs(&own.project_id).await;
            runs.into_iter().next()
        })
        .await;
        assert_eq!(run.repository_id, own.id);
        let deliveries = api.all_deliveries().await;
        assert_eq!(deliveries.len(), 1);
        assert_eq!(deliveries[0].repository_id, own.id);
        let request = ck8s_proto::ingress::v1::GetDeliveryRequest {
            delivery: delivery.clone(),
        };
        let found = api
            .ingress()
            .get_delivery(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(found.delivery.unwrap().repository_id, own.id);
    }
    assert_eq!(world.admin.all_runs("").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_takes_the_webhooks_of_a_repository_over() {
    let (github, world, token) = scene().await;
    let (shop, other) = (
        admin_of(&world, "shop").await,
        admin_of(&world, "other").await,
    );
    let (by_hand, secret_by_hand) = shop.repository("shop", "acme/one", 501, SERVICES).await;
    assert_eq!(send(&world, &secret_by_hand, &new_id()).await, 202);

    let add = request("other", "acme/one", &token);
    let added = other.repositories().add_repository(add).await;
    let managed = added.expect("it is added").into_inner().repository.unwrap();
    assert_eq!(
        github.emit(501, "issues", &issue(501, "acme/one")).await,
        [202]
    );
    until("it makes its run", async || {
        let runs = other.all_runs(&managed.project_id).await;
        (runs.len() == 1).then_some(())
    })
    .await;
    assert_eq!(send(&world, &secret_by_hand, &new_id()).await, 401);
    // The entry that was made by hand stays, and what is told of it.
    assert_eq!(named(&shop, "acme/one").await.unwrap().id, by_hand.id);
    assert_eq!(
        named(&world.admin, "acme/one").await.unwrap().id,
        managed.id
    );

    // With a credential as well, the first one stays. Only who reaches it is told that it is there.
    world.admin.project("third", 1).await;
    let third = admin_of(&world, "third").await;
    let add = request("third", "acme/one", &token);
    let refused = third.repositories().add_repository(add).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    let reason = refused.get_details_error_info().unwrap().reason;
    assert_eq!(reason, "REPOSITORY_UNAVAILABLE");
    assert!(!refused.message().contains("other"), "{refused:?}");
    let rotate = pb::RotateCredentialRequest {
        request_id: new_id(),
        repository: by_hand.id.clone(),
        credential: Some(pb::rotate_credential_request::Credential::Token(
            token.clone(),
        )),
    };
    let refused = shop
        .repositories()
        .rotate_credential(rotate)
        .await
        .unwrap_err();
    let reason = refused.get_details_error_info().unwrap().reason;
    assert_eq!(reason, "REPOSITORY_UNAVAILABLE");
    let refused = try_add(&world, "third", "acme/one", &token)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");

    // What is proved no longer is free again.
    let remove = pb::RemoveRepositoryRequest {
        request_id: new_id(),
        repository: "acme/one".to_owned(),
    };
    other
        .repositories()
        .remove_repository(remove)
        .await
        .unwrap();
    until(
        "the entry made by hand has its webhooks again",
        async || (send(&world, &secret_by_hand, &new_id()).await == 202).then_some(()),
    )
    .await;
}
