//! UpdateRepository.
use ck8s_proto::repositories::v1 as pb;
use prost_types::FieldMask;
use tonic::Code;
use uuid::Uuid;

use crate::world::{World, refusal};

fn update(paths: &[&str]) -> pb::UpdateRepositoryRequest {
    let paths = paths.iter().map(|p| (*p).to_owned()).collect();
    pb::UpdateRepositoryRequest {
        request_id: Uuid::now_v7().to_string(),
        repository: "acme/app".into(),
        update_mask: Some(FieldMask { paths }),
        full_name: "acme/renamed".into(),
        default_branch: "trunk".into(),
        services_text: "version: 1\n".into(),
        etag: String::new(),
        ..Default::default()
    }
}

#[tokio::test]
async fn only_what_the_mask_names_changes_and_ingress_is_notified() {
    let mut w = World::new().await;
    let app = w.app();
    let before = w.add(app).await.repository.expect("a repository");
    assert_eq!(
        w.resolve(&["1"]).await[0]
            .repository
            .as_ref()
            .map(|r| r.default_branch.as_str()),
        Some("main")
    );
    let mut changes = sqlx::postgres::PgListener::connect_with(&w.owner)
        .await
        .expect("listens");
    changes.listen("ck8s_repositories").await.expect("listens");

    let request = update(&["default_branch"]);
    let answer = w
        .admin
        .update_repository(request.clone())
        .await
        .expect("changes");
    let after = answer.into_inner().repository.expect("a repository");
    assert_eq!(changes.recv().await.expect("a notification").payload(), "1");
    assert_eq!(after.default_branch, "trunk");
    assert_eq!(after.full_name, before.full_name);
    assert_eq!(after.services_text, before.services_text);
    assert_ne!(after.etag, before.etag);
    let again = w.admin.update_repository(request).await.expect("repeats");
    assert_eq!(again.into_inner().repository, Some(after.clone()));

    let all = update(&["full_name", "services_text"]);
    let answer = w.admin.update_repository(all).await.expect("changes");
    let last = answer.into_inner().repository.expect("a repository");
    assert_eq!(last.full_name, "acme/renamed");
    assert_eq!(last.services, Some(pb::Services::default()));
    let resolved = w
        .resolve(&["1"])
        .await
        .remove(0)
        .repository
        .expect("a repository");
    assert_eq!(resolved.services_text, "");
    assert_eq!(resolved.services, Some(pb::Services::default()));
    let events = w.events().await;
    assert_eq!(events.len(), 3);
    assert_eq!(events[1].2, "default_branch of repository acme/app changed");
    assert_eq!(
        events[2].3["fields"],
        serde_json::json!(["full_name", "services_text"])
    );
}

#[tokio::test]
async fn a_stale_etag_is_aborted_and_the_current_one_is_accepted() {
    let mut w = World::new().await;
    let app = w.app();
    let before = w.add(app).await.repository.expect("a repository");
    let mut request = update(&["default_branch"]);
    request.etag = before.etag.clone();
    w.admin.update_repository(request).await.expect("changes");
    let mut stale = update(&["default_branch"]);
    stale.etag = before.etag;
    let (code, reason, _) = refusal(w.admin.update_repository(stale).await);
    assert_eq!(
        (code, reason.as_str()),
        (Code::Aborted, "REPOSITORY_CHANGED")
    );
    assert_eq!(w.kinds().await, ["repository.added", "repository.updated"]);
}

#[tokio::test]
async fn bad_changes_are_refused() {
    let mut w = World::new().await;
    let app = w.app();
    w.add(app).await;
    let mut other = w.app();
    other.full_name = "acme/renamed".into();
    other.external_id = "2".into();
    w.add(other).await;

    for mask in [update(&[]), update(&["etag"]), update(&["full_name", "id"])] {
        let (code, _, message) = refusal(w.admin.update_repository(mask).await);
        assert_eq!(code, Code::InvalidArgument);
        assert!(
            message.starts_with("update_mask: must name what changes"),
            "{message}"
        );
    }
    let (code, _, message) = refusal(w.admin.update_repository(update(&["full_name"])).await);
    assert_eq!(code, Code::AlreadyExists);
    assert_eq!(message, "a repository named \"acme/renamed\" exists");
    let mut bad = update(&["services_text"]);
    bad.services_text =
        "version: 1\ntriggers: [{name: a, on: {event: push}, run: {imagee: x}}]".into();
    let (code, _, message) = refusal(w.admin.update_repository(bad).await);
    assert_eq!(code, Code::InvalidArgument);
    assert!(
        message.starts_with(
            "services_text: line 2: unknown key \"imagee\" in triggers[0].run (known: "
        ),
        "{message}"
    );
    let mut missing = update(&["default_branch"]);
    missing.repository = Uuid::now_v7().to_string();
    assert_eq!(
        refusal(w.admin.update_repository(missing).await).0,
        Code::NotFound
    );
    assert_eq!(w.kinds().await, ["repository.added", "repository.added"]);
}
