//! Repositories that were added by hand: nothing proves them, so they claim nothing.
use ck8s_proto::repositories::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::world::{World, refusal};

fn named(name: &str, projects: &[&str]) -> pb::GetRepositoryRequest {
    pb::GetRepositoryRequest {
        repository: name.to_owned(),
        project_ids: projects.iter().map(|id| (*id).to_owned()).collect(),
    }
}

#[tokio::test]
async fn two_projects_may_have_one_repository_and_each_has_its_own_secret() {
    let mut w = World::new().await;
    let ours = w.app();
    let theirs = pb::AddRepositoryRequest {
        request_id: Uuid::now_v7().to_string(),
        project: w.other_project.slug.clone(),
        ..ours.clone()
    };
    let ours = w.add(ours).await;
    let theirs = w.add(theirs).await;
    let id = |added: &pb::AddRepositoryResponse| added.repository.clone().expect("it").id;
    let (our_id, their_id) = (id(&ours), id(&theirs));
    assert_ne!(our_id, their_id);

    let resolved = w.resolve(&["1"]).await;
    let claims: Vec<(String, Vec<String>)> = resolved
        .into_iter()
        .map(|r| (r.repository.expect("it").id, r.webhook_secrets))
        .collect();
    let oldest_first = [
        (our_id.clone(), vec![ours.webhook_secret]),
        (their_id.clone(), vec![theirs.webhook_secret]),
    ];
    assert_eq!(claims, oldest_first);

    let (code, reason, message) = refusal(w.admin.get_repository(named("acme/app", &[])).await);
    assert_eq!(
        (code, reason.as_str()),
        (Code::FailedPrecondition, "REPOSITORY_AMBIGUOUS")
    );
    assert!(
        message.contains(&our_id) && message.contains(&their_id),
        "{message}"
    );
    for (project, id) in [(&w.project.id, &our_id), (&w.other_project.id, &their_id)] {
        for name in ["acme/app", id] {
            let got = w.runs.get_repository(named(name, &[project])).await;
            let got = got.expect("one is meant").into_inner().repository;
            assert_eq!(&got.expect("a repository").id, id);
        }
    }
    let nobodys = Uuid::now_v7().to_string();
    let missing = w.runs.get_repository(named("acme/app", &[&nobodys])).await;
    assert_eq!(refusal(missing).0, Code::NotFound);

    let remove = pb::RemoveRepositoryRequest {
        request_id: Uuid::now_v7().to_string(),
        repository: our_id,
    };
    w.admin.remove_repository(remove).await.expect("by its id");
    let got = w.admin.get_repository(named("ACME/App", &[])).await;
    let got = got.expect("only one is left").into_inner().repository;
    assert_eq!(got.expect("a repository").id, their_id);
}

#[tokio::test]
async fn no_more_than_32_projects_get_webhooks_of_a_repository_added_by_hand() {
    let mut w = World::new().await;
    let ours = w.app();
    w.add(ours).await;
    // As many projects as nobody would make through the service.
    let sql = "WITH p AS (
            INSERT INTO auth.projects (id, slug, name) SELECT gen_random_uuid(), 'p' || n, 'p' FROM generate_series(1, 40) AS n RETURNING id
        )
        INSERT INTO repositories.repositories (id, project_id, provider, external_id, full_name, default_branch)
        SELECT ('ffffffff' || substr(gen_random_uuid()::text, 9))::uuid, id, 'github', '1', 'acme/app', 'main' FROM p";
    sqlx::query(sql).execute(&w.owner).await.expect("inserted");
    let resolved = w.resolve(&["1"]).await;
    assert_eq!(resolved.len(), 32);
    let first = resolved[0].repository.as_ref().expect("a repository");
    assert_eq!(first.project_id, w.project.id, "whoever came first stays");
}
