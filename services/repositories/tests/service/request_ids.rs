//! A request id that is used again for another content is refused, by every method that changes something.
use ck8s_proto::repositories::v1 as pb;
use prost_types::FieldMask;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::world::{World, refusal};

fn assert_reused<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let (code, reason, message) = refusal(answer);
    assert_eq!(
        (code, reason.as_str()),
        (Code::InvalidArgument, "REQUEST_ID_REUSED"),
        "{message}"
    );
}

#[tokio::test]
async fn another_value_of_a_secret_under_a_used_id_is_refused_and_not_set() {
    let mut w = World::new().await;
    let app = w.app();
    let id = w.add(app).await.repository.expect("a repository").id;
    let set = |value: &str, name: &str| pb::SetSecretRequest {
        request_id: "0197f5a0-0000-7000-8000-000000000001".into(),
        repository: "acme/app".into(),
        name: name.into(),
        value: value.into(),
        binding: None,
    };
    let mut first = w.admin.set_secret(set("one", "A")).await.expect("sets");
    let again = w.admin.set_secret(set("one", "A")).await.expect("repeats");
    assert_eq!(
        again.into_inner().repository,
        first.get_mut().repository.take()
    );
    assert_reused(w.admin.set_secret(set("two", "A")).await);
    assert_reused(w.admin.set_secret(set("", "A")).await);
    assert_reused(w.admin.set_secret(set("one", "B")).await);
    let open = pb::OpenSecretsRequest {
        repository_id: id,
        names: vec!["A".into(), "B".into()],
        origin: None,
    };
    let secrets = w.runs.open_secrets(open).await.expect("opens");
    let secrets = secrets.into_inner().secrets;
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets["A"], "one");
    assert_eq!(w.kinds().await, ["repository.added", "secret.set"]);
}

#[tokio::test]
async fn every_change_under_a_used_id_is_refused() {
    let mut w = World::new().await;
    let request = w.app();
    w.add(request.clone()).await;
    let mut other = w.app();
    other.full_name = "acme/other".into();
    other.external_id = "2".into();
    w.add(other).await;
    let request_id = request.request_id.clone();

    let mut another = request;
    another.webhook_secret = "correct horse battery".into();
    assert_reused(w.admin.add_repository(another).await);
    let id = || request_id.clone();
    let update = pb::UpdateRepositoryRequest {
        request_id: id(),
        repository: "acme/app".into(),
        default_branch: "trunk".into(),
        update_mask: Some(FieldMask {
            paths: vec!["default_branch".into()],
        }),
        ..Default::default()
    };
    assert_reused(w.admin.update_repository(update).await);
    let rotate = pb::RotateWebhookSecretRequest {
        request_id: id(),
        repository: "acme/app".into(),
        ..Default::default()
    };
    assert_reused(w.admin.rotate_webhook_secret(rotate).await);
    let credential = pb::RotateCredentialRequest {
        request_id: id(),
        repository: "acme/app".into(),
        credential: Some(pb::rotate_credential_request::Credential::Token(
            "token".into(),
        )),
    };
    assert_reused(w.admin.rotate_credential(credential).await);
    let mend = pb::MendRepositoryRequest {
        request_id: id(),
        repository: "acme/app".into(),
    };
    assert_reused(w.admin.mend_repository(mend).await);
    let remove = |request_id: String, repository: &str| pb::RemoveRepositoryRequest {
        request_id,
        repository: repository.into(),
    };
    assert_reused(w.admin.remove_repository(remove(id(), "acme/app")).await);
    let reseal = pb::ResealRequest { request_id: id() };
    assert_reused(w.admin.reseal(reseal).await);
    assert_eq!(w.kinds().await, ["repository.added", "repository.added"]);

    let removal = Uuid::now_v7().to_string();
    let first = remove(removal.clone(), "acme/app");
    w.admin.remove_repository(first).await.expect("removes");
    assert_reused(
        w.admin
            .remove_repository(remove(removal, "acme/other"))
            .await,
    );
    let request = pb::GetRepositoryRequest {
        repository: "acme/other".into(),
        project_ids: Vec::new(),
    };
    w.admin.get_repository(request).await.expect("it stays");
}
