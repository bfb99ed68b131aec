//! ListRepositories.
use ck8s_proto::repositories::v1 as pb;
use tonic::Code;

use crate::world::{World, refusal};

async fn names(w: &mut World, project: &str, page_size: i32) -> Vec<String> {
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let request = pb::ListRepositoriesRequest {
            project: project.into(),
            page_size,
            page_token: token,
        };
        let page = w
            .admin
            .list_repositories(request)
            .await
            .expect("lists")
            .into_inner();
        let size = usize::try_from(page_size).expect("not negative");
        assert!(size == 0 || page.repositories.len() <= size);
        names.extend(page.repositories.into_iter().map(|r| r.full_name));
        token = page.next_page_token;
        if token.is_empty() {
            return names;
        }
    }
}

#[tokio::test]
async fn pages_are_sorted_by_name_and_miss_nothing() {
    let mut w = World::new().await;
    for (n, name) in ["acme/b", "Zeta/a", "acme/A", "beta/x", "acme/c"]
        .iter()
        .enumerate()
    {
        let mut request = w.app();
        request.full_name = (*name).into();
        request.external_id = (n + 1).to_string();
        if *name == "beta/x" {
            request.project = "other".into();
        }
        w.add(request).await;
    }
    let all = ["acme/A", "acme/b", "acme/c", "beta/x", "Zeta/a"];
    for size in [0, 1, 2, 5] {
        assert_eq!(names(&mut w, "", size).await, all);
    }
    let (id, slug) = (w.project.id.clone(), w.project.slug.clone());
    for project in [id, slug] {
        assert_eq!(
            names(&mut w, &project, 2).await,
            ["acme/A", "acme/b", "acme/c", "Zeta/a"]
        );
    }
    assert_eq!(names(&mut w, "other", 0).await, ["beta/x"]);

    let bad = |page_size, page_token: &str, project: &str| pb::ListRepositoriesRequest {
        project: project.into(),
        page_size,
        page_token: page_token.into(),
    };
    for (request, code) in [
        (bad(-1, "", ""), Code::InvalidArgument),
        (bad(0, "nonsense", ""), Code::InvalidArgument),
        (bad(0, "", "nope"), Code::NotFound),
    ] {
        assert_eq!(refusal(w.admin.list_repositories(request).await).0, code);
    }
}

#[tokio::test]
async fn a_page_of_large_repositories_ends_early() {
    let mut w = World::new().await;
    let text = format!("version: 1\n# {}\n", "x".repeat(60_000));
    for n in 1..=50 {
        let mut request = w.app();
        request.full_name = format!("acme/app{n}");
        request.external_id = n.to_string();
        request.services_text.clone_from(&text);
        w.add(request).await;
    }
    let request = pb::ListRepositoriesRequest::default();
    let page = w
        .admin
        .list_repositories(request)
        .await
        .expect("fits")
        .into_inner();
    assert!((1..50).contains(&page.repositories.len()));
    assert!(!page.next_page_token.is_empty());
    assert_eq!(names(&mut w, "", 0).await.len(), 50);
}
