//! Projects: creating, reading, renaming and deleting them, repeated calls, and what prevents a deletion.
use ck8s_proto::auth::v1 as pb;
use tonic::Code;
use tonic_types::StatusExt;

use crate::server::TestServer;

fn create(slug: &str) -> pb::CreateProjectRequest {
    pb::CreateProjectRequest {
        slug: slug.to_owned(),
        ..Default::default()
    }
}

async fn created(server: &TestServer, request: pb::CreateProjectRequest) -> pb::Project {
    let mut client = server.projects_client();
    let created = client.create_project(server.admin(request)).await;
    created.unwrap().into_inner().project.unwrap()
}

fn delete(slug: &str) -> pb::DeleteProjectRequest {
    pb::DeleteProjectRequest {
        project: slug.to_owned(),
        confirm_slug: slug.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_project_is_created_read_renamed_and_deleted() {
    let server = TestServer::start().await;
    let mut client = server.projects_client();
    let project = created(&server, create("demo")).await;
    assert_eq!((&*project.slug, &*project.name), ("demo", "demo"));
    for reference in [&project.id, &project.slug] {
        let get = pb::GetProjectRequest {
            project: reference.clone(),
        };
        let got = client.get_project(server.admin(get)).await.unwrap();
        assert_eq!(got.into_inner().project.as_ref(), Some(&project));
    }
    let taken = client.create_project(server.admin(create("demo"))).await;
    assert_eq!(taken.unwrap_err().code(), Code::AlreadyExists);

    let rename = |etag: &str| pb::UpdateProjectRequest {
        project: "demo".into(),
        name: "Demo".into(),
        etag: etag.to_owned(),
        ..Default::default()
    };
    let renamed = client.update_project(server.admin(rename(&project.etag)));
    let renamed = renamed.await.unwrap().into_inner().project.unwrap();
    assert_eq!(renamed.name, "Demo");
    assert_ne!(renamed.etag, project.etag);
    let stale = client
        .update_project(server.admin(rename(&project.etag)))
        .await;
    assert_eq!(stale.unwrap_err().code(), Code::Aborted);
    let whatever = client.update_project(server.admin(rename(""))).await;
    assert!(whatever.is_ok());

    let wrong = pb::DeleteProjectRequest {
        confirm_slug: "other".into(),
        ..delete("demo")
    };
    let refused = client
        .delete_project(server.admin(wrong))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    client
        .delete_project(server.admin(delete("demo")))
        .await
        .unwrap();
    let gone = client.delete_project(server.admin(delete("demo"))).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
    let counts = [
        server.events("project.created").await,
        server.events("project.updated").await,
        server.events("project.deleted").await,
    ];
    assert_eq!(counts, [1, 2, 1]);
}

#[tokio::test]
async fn repeated_calls_change_once_and_get_the_same_response() {
    let server = TestServer::start().await;
    let mut client = server.projects_client();
    let request_id = || uuid::Uuid::now_v7().to_string();
    let make = pb::CreateProjectRequest {
        request_id: request_id(),
        ..create("demo")
    };
    let answers = futures::future::join_all((0..8).map(|_| created(&server, make.clone()))).await;
    assert!(answers.iter().all(|a| *a == answers[0]));
    assert_eq!(server.events("project.created").await, 1);

    let rename = pb::UpdateProjectRequest {
        request_id: request_id(),
        project: "demo".into(),
        name: "Demo".into(),
        etag: answers[0].etag.clone(),
    };
    let once = client.update_project(server.admin(rename.clone())).await;
    let twice = client.update_project(server.admin(rename)).await;
    assert_eq!(once.unwrap().into_inner(), twice.unwrap().into_inner());

    let remove = pb::DeleteProjectRequest {
        request_id: request_id(),
        ..delete("demo")
    };
    client
        .delete_project(server.admin(remove.clone()))
        .await
        .unwrap();
    client.delete_project(server.admin(remove)).await.unwrap();
    assert_eq!(server.events("project.deleted").await, 1);

    // A failed call does not claim its request id.
    let failing = pb::DeleteProjectRequest {
        request_id: request_id(),
        ..delete("later")
    };
    let refused = client.delete_project(server.admin(failing.clone())).await;
    assert_eq!(refused.unwrap_err().code(), Code::NotFound);
    created(&server, create("later")).await;
    client.delete_project(server.admin(failing)).await.unwrap();
}

#[tokio::test]
async fn a_project_with_repositories_runs_or_deliveries_cannot_be_deleted() {
    let server = TestServer::start().await;
    created(&server, create("demo")).await;
    let holds = [
        (
            "repositories",
            "INSERT INTO repositories.repositories (id, project_id, provider, external_id, full_name, default_branch)
             SELECT gen_random_uuid(), id, 'github', '1', 'octo/demo', 'main' FROM auth.projects",
            "DELETE FROM repositories.repositories",
        ),
        (
            "runs",
            "INSERT INTO runs.runs (id, project_id, spec, trigger)
             SELECT gen_random_uuid(), id, '{}', '{}' FROM auth.projects",
            "DELETE FROM runs.runs",
        ),
        (
            "deliveries",
            "INSERT INTO ingress.deliveries (id, project_id, provider, delivery_key, event, size_bytes, payload)
             SELECT gen_random_uuid(), id, 'github', 'x', 'push', 0, '' FROM auth.projects",
            "DELETE FROM ingress.deliveries",
        ),
    ];
    let mut client = server.projects_client();
    for (what, hold, release) in holds {
        server.sql(hold).await;
        let refused = client.delete_project(server.admin(delete("demo"))).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{what}");
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.reason, "PROJECT_IN_USE");
        assert_eq!(info.metadata["what"], what);
        server.sql(release).await;
    }
    client
        .delete_project(server.admin(delete("demo")))
        .await
        .unwrap();
}

#[tokio::test]
async fn projects_are_listed_by_slug_in_pages() {
    let server = TestServer::start().await;
    for slug in ["c", "a", "b-1"] {
        created(&server, create(slug)).await;
    }
    let mut client = server.projects_client();
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let list = pb::ListProjectsRequest {
            page_size: 1,
            page_token,
        };
        let listed = client.list_projects(server.admin(list)).await;
        let page = listed.unwrap().into_inner();
        seen.extend(page.projects.into_iter().map(|p| p.slug));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["a", "b-1", "c"]);
    for (page_size, page_token) in [(-1, ""), (0, "!"), (0, "bm8")] {
        let list = pb::ListProjectsRequest {
            page_size,
            page_token: page_token.into(),
        };
        let refused = client.list_projects(server.admin(list)).await;
        assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    }
}
