//! RemoveRepository.
use ck8s_proto::repositories::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::world::{World, refusal};

#[tokio::test]
async fn a_removed_repository_is_gone_with_its_secrets_and_may_be_added_again() {
    let mut w = World::new().await;
    let app = w.app();
    let first = w.add(app).await;
    let old = first.repository.expect("a repository");
    let set = pb::SetSecretRequest {
        request_id: String::new(),
        repository: old.id.clone(),
        name: "TOKEN".into(),
        value: "value".into(),
        binding: None,
    };
    w.admin.set_secret(set).await.expect("sets");
    let remove = pb::RemoveRepositoryRequest {
        request_id: Uuid::now_v7().to_string(),
        repository: old.id.clone(),
    };
    w.admin
        .remove_repository(remove.clone())
        .await
        .expect("removes");
    w.admin
        .remove_repository(remove.clone())
        .await
        .expect("repeats");
    let fresh = pb::RemoveRepositoryRequest {
        request_id: String::new(),
        ..remove
    };
    assert_eq!(
        refusal(w.admin.remove_repository(fresh).await).0,
        Code::NotFound
    );

    assert!(w.resolve(&["1"]).await.is_empty());
    for name in [old.id.as_str(), "acme/app"] {
        let request = pb::GetRepositoryRequest {
            repository: name.into(),
            project_ids: Vec::new(),
        };
        assert_eq!(
            refusal(w.admin.get_repository(request).await).0,
            Code::NotFound
        );
    }
    let open = pb::OpenSecretsRequest {
        repository_id: old.id.clone(),
        names: vec!["TOKEN".into()],
        origin: None,
    };
    assert!(
        w.runs
            .open_secrets(open)
            .await
            .expect("opens")
            .into_inner()
            .secrets
            .is_empty()
    );
    let sealed = "SELECT (SELECT count(*) FROM repositories.secrets) + (SELECT count(*) FROM repositories.webhook_secrets)";
    let left: i64 = sqlx::query_scalar(sealed)
        .fetch_one(&w.owner)
        .await
        .expect("counts");
    assert_eq!(left, 0);

    let app = w.app();
    let second = w.add(app).await;
    let new = second.repository.expect("a repository");
    assert_ne!(new.id, old.id);
    assert_ne!(second.webhook_secret, first.webhook_secret);
    assert_eq!(w.secrets_of("1").await, [second.webhook_secret]);
    assert_eq!(
        w.kinds().await,
        [
            "repository.added",
            "secret.set",
            "repository.removed",
            "repository.added"
        ]
    );
}
