//! SetSecret and OpenSecrets.
use std::collections::HashMap;

use ck8s_proto::repositories::v1::{self as pb, open_secrets_request::Origin};
use tonic::Code;
use uuid::Uuid;

use crate::world::{World, refusal};

fn set(name: &str, value: &str) -> pb::SetSecretRequest {
    pb::SetSecretRequest {
        request_id: Uuid::now_v7().to_string(),
        repository: "acme/app".into(),
        name: name.into(),
        value: value.into(),
        binding: None,
    }
}

async fn open(w: &mut World, id: &str, names: &[&str]) -> HashMap<String, String> {
    let request = pb::OpenSecretsRequest {
        repository_id: id.into(),
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        origin: None,
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

fn bound(name: &str, triggers: &[&str]) -> pb::SetSecretRequest {
    let triggers = triggers.iter().map(|t| (*t).to_owned()).collect();
    pb::SetSecretRequest {
        binding: Some(pb::SecretBinding { triggers }),
        ..set(name, "value")
    }
}

/// Opens secrets for a run of this origin. Returns the names that were opened and those that were withheld, sorted.
async fn names_for(w: &mut World, id: &str, origin: Option<Origin>) -> (Vec<String>, Vec<String>) {
    let request = pb::OpenSecretsRequest {
        repository_id: id.into(),
        names: ["BOUND", "FREE", "SHARED"].map(str::to_owned).to_vec(),
        origin,
    };
    let opened = w.runs.open_secrets(request).await.expect("opens");
    let opened = opened.into_inner();
    let mut names: Vec<String> = opened.secrets.into_keys().collect();
    names.sort();
    (names, opened.withheld_names)
}

#[tokio::test]
async fn a_bound_secret_is_opened_for_its_triggers_alone() {
    let mut w = World::new().await;
    let app = w.app();
    let id = w.add(app).await.repository.expect("a repository").id;
    w.admin.set_secret(set("FREE", "v")).await.expect("sets");
    let answer = w.admin.set_secret(bound("BOUND", &["b", "a", "b"])).await;
    let repository = answer.expect("sets").into_inner().repository;
    let secrets = repository.expect("a repository").secrets;
    let shown: Vec<(&str, &[String])> = secrets
        .iter()
        .map(|s| (s.name.as_str(), s.triggers.as_slice()))
        .collect();
    let (a, b) = ("a".to_owned(), "b".to_owned());
    assert_eq!(shown, [("BOUND", &[a, b][..]), ("FREE", &[])]);
    assert!(secrets.iter().all(|s| s.update_time.is_some()));
    assert_eq!(
        w.events().await[2].3["triggers"],
        serde_json::json!(["a", "b"])
    );

    let trigger = |name: &str| Some(Origin::Trigger(name.to_owned()));
    let (all, free, none) = (
        ["BOUND", "FREE"].as_slice(),
        ["FREE"].as_slice(),
        [].as_slice(),
    );
    let bound_only = ["BOUND"].as_slice();
    for (origin, opened, withheld) in [
        (trigger("a"), all, none),
        (trigger("b"), all, none),
        (trigger("c"), free, bound_only),
        (trigger(""), free, bound_only),
        (Some(Origin::AdminSpec(true)), all, none),
        (Some(Origin::AdminSpec(false)), free, bound_only),
        (None, free, bound_only),
    ] {
        let names = names_for(&mut w, &id, origin.clone()).await;
        assert_eq!(
            (names.0.as_slice(), names.1.as_slice()),
            (
                opened
                    .iter()
                    .map(|n| (*n).to_owned())
                    .collect::<Vec<_>>()
                    .as_slice(),
                withheld
                    .iter()
                    .map(|n| (*n).to_owned())
                    .collect::<Vec<_>>()
                    .as_slice(),
            ),
            "{origin:?}"
        );
    }

    // Another value does not unbind it; an empty list does.
    w.admin.set_secret(set("BOUND", "v")).await.expect("sets");
    assert_eq!(names_for(&mut w, &id, None).await.1, ["BOUND"]);
    w.admin.set_secret(bound("BOUND", &[])).await.expect("sets");
    assert_eq!(names_for(&mut w, &id, None).await.1, [""; 0]);

    let without_value = pb::SetSecretRequest {
        value: String::new(),
        ..bound("BOUND", &["a"])
    };
    for (request, field) in [
        (without_value, "binding: "),
        (bound("BOUND", &[""]), "binding.triggers: "),
    ] {
        let (code, _, message) = refusal(w.admin.set_secret(request).await);
        assert_eq!(code, Code::InvalidArgument);
        assert!(message.starts_with(field), "{message}");
    }
}

fn shared(project: &str, name: &str, value: &str) -> pb::SetProjectSecretRequest {
    pb::SetProjectSecretRequest {
        request_id: Uuid::now_v7().to_string(),
        project: project.into(),
        name: name.into(),
        value: value.into(),
    }
}

#[tokio::test]
async fn the_repositories_of_a_project_share_its_secrets() {
    let mut w = World::new().await;
    let app = w.app();
    let id = w.add(app).await.repository.expect("a repository").id;
    let mut elsewhere = w.app();
    elsewhere.project = w.other_project.slug.clone();
    let elsewhere = w.add(elsewhere).await.repository.expect("a repository").id;
    let request = shared("acme", "SHARED", "a shared value");
    for request in [request.clone(), request] {
        let answer = w.admin.set_project_secret(request).await.expect("sets");
        assert_eq!(answer.into_inner().secret.expect("it").name, "SHARED");
    }
    assert_eq!(
        open(&mut w, &id, &["SHARED"]).await["SHARED"],
        "a shared value"
    );
    assert!(open(&mut w, &elsewhere, &["SHARED"]).await.is_empty());

    // The repository's own wins, and is withheld rather than replaced by the project's.
    let own = pb::SetSecretRequest {
        repository: id.clone(),
        ..bound("SHARED", &["a"])
    };
    w.admin.set_secret(own).await.expect("sets");
    let of_a = names_for(&mut w, &id, Some(Origin::Trigger("a".into()))).await;
    assert_eq!(of_a.0, ["SHARED"]);
    assert_eq!(
        names_for(&mut w, &id, None).await,
        (vec![], vec!["SHARED".to_owned()])
    );

    w.admin
        .set_project_secret(shared("acme", "A", "v"))
        .await
        .expect("sets");
    let list = |token: &str| pb::ListProjectSecretsRequest {
        project: "acme".into(),
        page_size: 1,
        page_token: token.into(),
    };
    let first = w
        .admin
        .list_project_secrets(list(""))
        .await
        .expect("lists")
        .into_inner();
    assert_eq!(first.secrets[0].name, "A");
    let next = w
        .admin
        .list_project_secrets(list(&first.next_page_token))
        .await;
    let next = next.expect("lists").into_inner();
    assert_eq!(
        (next.secrets[0].name.as_str(), next.next_page_token.as_str()),
        ("SHARED", "")
    );

    for _ in 0..2 {
        let answer = w
            .admin
            .set_project_secret(shared("acme", "SHARED", ""))
            .await;
        assert_eq!(answer.expect("removes").into_inner().secret, None);
    }
    let events = w.events().await;
    let removed: Vec<_> = events.iter().filter(|e| e.0 == "secret.removed").collect();
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0].2, "secret SHARED of the project removed");
    assert!(!format!("{events:?}").contains("a shared value"));

    for (request, code) in [
        (shared("acme", "CK8S_X", "v"), Code::InvalidArgument),
        (shared("", "A", "v"), Code::InvalidArgument),
        (shared("nope", "A", "v"), Code::NotFound),
    ] {
        assert_eq!(refusal(w.admin.set_project_secret(request).await).0, code);
    }
}
