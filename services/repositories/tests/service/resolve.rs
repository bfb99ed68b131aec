//! ResolveRepositories.
use ck8s_proto::repositories::v1 as pb;
use ck8s_sealing::KeyRing;
use secrecy::ExposeSecret;
use tonic::Code;

use crate::world::{World, refusal};

#[tokio::test]
async fn many_are_resolved_at_once_and_unknown_ones_are_missing() {
    let mut w = World::new().await;
    let mut secrets = Vec::new();
    for n in 1..=5 {
        let mut request = w.app();
        request.full_name = format!("acme/app{n}");
        request.external_id = n.to_string();
        secrets.push(w.add(request).await.webhook_secret);
    }
    let mut resolved = w.resolve(&["5", "3", "99", "1", "1"]).await;
    let id = |r: &pb::ResolvedRepository| r.repository.as_ref().expect("it").external_id.clone();
    resolved.sort_by_key(id);
    assert_eq!(resolved.iter().map(id).collect::<Vec<_>>(), ["1", "3", "5"]);
    for (r, n) in resolved.iter().zip([0, 2, 4]) {
        assert_eq!(r.webhook_secrets, [secrets[n].clone()]);
        let repository = r.repository.as_ref().expect("a repository");
        assert_eq!(repository.services_text, "");
        assert_eq!(
            repository
                .services
                .as_ref()
                .expect("services")
                .triggers
                .len(),
            1
        );
    }
    assert!(w.resolve(&[]).await.is_empty());

    let bad = pb::ResolveRepositoriesRequest::default();
    assert_eq!(
        refusal(w.ingress.resolve_repositories(bad).await).0,
        Code::InvalidArgument
    );
    let many = pb::ResolveRepositoriesRequest {
        provider: pb::Provider::Github.into(),
        external_ids: vec!["1".into(); 1_001],
    };
    assert_eq!(
        refusal(w.ingress.resolve_repositories(many).await).0,
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn a_secret_that_does_not_open_hinders_no_other_repository() {
    let mut w = World::new().await;
    let app = w.app();
    w.add(app).await;
    let mut other = w.app();
    other.full_name = "acme/other".into();
    other.external_id = "2".into();
    w.add(other).await;
    // The sealed value of the one put in the row of the other: it opens in neither place but its own.
    let sql = "UPDATE repositories.webhook_secrets w
               SET sealed = (SELECT o.sealed FROM repositories.webhook_secrets o WHERE o.repository_id <> w.repository_id)
               WHERE repository_id = (SELECT id FROM repositories.repositories WHERE external_id = '1')";
    sqlx::query(sql).execute(&w.owner).await.expect("moves it");
    assert!(w.secrets_of("1").await.is_empty());
    assert_eq!(w.secrets_of("2").await.len(), 1);
}

#[tokio::test]
async fn a_missing_key_is_noticed_before_the_service_starts() {
    let old = KeyRing::generate_text();
    let mut w = World::with_keys(old.expose_secret()).await;
    let new = KeyRing::generate_text();
    w.start_replica(new.expose_secret())
        .await
        .expect("an empty database needs no key");
    let app = w.app();
    w.add(app).await;
    w.start_replica(old.expose_secret())
        .await
        .expect("it has the key");

    let lacks_key = w.start_replica(new.expose_secret()).await;
    let error = lacks_key.err().expect("it lacks the key");
    assert!(
        error.to_string().starts_with("the key ring has no key \"k"),
        "{error}"
    );
    let both = format!("{},{}", new.expose_secret(), old.expose_secret());
    w.start_replica(&both).await.expect("it has both keys");
}
