//! SetSecret and OpenSecrets.
use std::collections::HashMap;

use ck8s_proto::repositories::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::world::{World, refusal};

fn set(name: &str, value: &str) -> pb::SetSecretRequest {
    pb::SetSecretRequest {
        request_id: Uuid::now_v7().to_string(),
        repository: "acme/app".into(),
        name: name.into(),
        value: value.into(),
    }
}

async fn open(w: &mut World, id: &str, names: &[&str]) -> HashMap<String, String> {
    let request = pb::OpenSecretsRequest {
        repository_id: id.into(),
        names: names.iter().map(|n| (*n).to_owned()).collect(),
    };
    w.runs
        .open_secrets(request)
        .await
        .expect("opens")
        .into_inner()
        .secrets
}

#[tokio::test]
async fn secrets_are_set_replaced_opened_and_removed() {
    let mut w = World::new().await;
    let app = w.app();
    let id = w.add(app).await.repository.expect("a repository").id;
    let request = set("B_TOKEN", "first value");
    for request in [request.clone(), request, set("A_TOKEN", "other\nvalue ä")] {
        w.admin.set_secret(request).await.expect("sets");
    }
    let answer = w
        .admin
        .set_secret(set("B_TOKEN", "second value"))
        .await
        .expect("sets");
    let repository = answer.into_inner().repository.expect("a repository");
    assert_eq!(repository.secret_names, ["A_TOKEN", "B_TOKEN"]);
    let opened = open(&mut w, &id, &["A_TOKEN", "B_TOKEN", "NONE"]).await;
    assert_eq!(opened.len(), 2);
    assert_eq!(opened["A_TOKEN"], "other\nvalue ä");
    assert_eq!(opened["B_TOKEN"], "second value");
    assert_eq!(open(&mut w, &id, &["A_TOKEN"]).await.len(), 1);
    assert!(
        open(&mut w, &Uuid::now_v7().to_string(), &["A_TOKEN"])
            .await
            .is_empty()
    );

    for _ in 0..2 {
        let answer = w
            .admin
            .set_secret(set("A_TOKEN", ""))
            .await
            .expect("removes");
        let repository = answer.into_inner().repository.expect("a repository");
        assert_eq!(repository.secret_names, ["B_TOKEN"]);
    }
    assert!(open(&mut w, &id, &["A_TOKEN"]).await.is_empty());
    let events = w.events().await;
    let kinds: Vec<_> = events.iter().map(|e| e.0.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "repository.added",
            "secret.set",
            "secret.set",
            "secret.set",
            "secret.removed"
        ]
    );
    assert_eq!(events[1].2, "secret B_TOKEN of acme/app set");
    assert_eq!(events[1].3["name"], "B_TOKEN");
}

#[tokio::test]
async fn invalid_names_and_values_are_refused() {
    let mut w = World::new().await;
    let app = w.app();
    w.add(app).await;
    let large = "x".repeat(32 * 1024 + 1);
    for (request, field) in [
        (set("token", "v"), "name: "),
        (set("CK8S_TOKEN", "v"), "name: "),
        (set("A", &large), "value: larger than 32 KiB"),
        (set("A", "a\0b"), "value: holds a NUL character"),
    ] {
        let (code, _, message) = refusal(w.admin.set_secret(request).await);
        assert_eq!(code, Code::InvalidArgument);
        assert!(message.starts_with(field), "{message}");
    }
    w.admin
        .set_secret(set("A", &large[1..]))
        .await
        .expect("32 KiB fit");
}
