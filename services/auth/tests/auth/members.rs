//! Members: adding, changing and removing them, what people see of projects, the deletion of projects, and recorded
//! denials.
use ck8s_proto::{
    auth::v1::{self as pb, auth_service_client::AuthServiceClient},
    policy::v1::ProjectRole as Role,
};
use tonic::{Code, Status};

use crate::server::{TestServer, refusal, until, with_bearer};

fn get(project: &str) -> pb::GetProjectRequest {
    pb::GetProjectRequest {
        project: project.to_owned(),
    }
}

fn rename(project: &str) -> pb::UpdateProjectRequest {
    pb::UpdateProjectRequest {
        project: project.to_owned(),
        name: "New".into(),
        ..Default::default()
    }
}

fn same(one: &Status, other: &Status) -> bool {
    (one.code(), one.message(), one.details()) == (other.code(), other.message(), other.details())
}

#[tokio::test]
async fn an_admin_of_a_project_adds_changes_and_removes_members() {
    let server = TestServer::start().await;
    let project = server.project("demo").await;
    let (owner, token) = server.person("own@x", false).await;
    server.member("demo", &owner.id, Role::Admin).await;
    let (octo, _) = server.person("Octo@x", false).await;
    let mut projects = server.projects_client();
    let add = pb::AddMemberRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        project: project.id.clone(),
        user: "octo@X".into(),
        role: Role::Read.into(),
    };
    let member = projects.add_member(with_bearer(&token, add.clone())).await;
    let member = member.unwrap().into_inner().member.unwrap();
    assert_eq!(
        (member.role(), &member.project_id),
        (Role::Read, &project.id)
    );
    let user = member.user.clone().unwrap();
    assert_eq!((&user.id, &*user.email), (&octo.id, "Octo@x"));
    let again = projects.add_member(with_bearer(&token, add.clone())).await;
    assert_eq!(again.unwrap().into_inner().member, Some(member));
    let twice = pb::AddMemberRequest {
        request_id: String::new(),
        ..add.clone()
    };
    let twice = projects.add_member(with_bearer(&token, twice)).await;
    assert_eq!(
        refusal(twice),
        (Code::AlreadyExists, "MEMBER_EXISTS".into())
    );
    let stranger = pb::AddMemberRequest {
        request_id: String::new(),
        user: "stranger@x".into(),
        ..add
    };
    let stranger = projects.add_member(with_bearer(&token, stranger)).await;
    assert_eq!(refusal(stranger), (Code::NotFound, "USER_NOT_FOUND".into()));

    let change = |user: &str, role: Role| pb::UpdateMemberRequest {
        project: "demo".into(),
        user: user.to_owned(),
        role: role.into(),
        ..Default::default()
    };
    let changed = projects.update_member(with_bearer(&token, change("octo@x", Role::ReadWrite)));
    let changed = changed.await.unwrap().into_inner().member.unwrap();
    assert_eq!(changed.role(), Role::ReadWrite);
    let none = projects.update_member(with_bearer(&token, change("octo@x", Role::Unspecified)));
    assert_eq!(refusal(none.await).0, Code::InvalidArgument);

    let list = pb::ListMembersRequest {
        project: "demo".into(),
        ..Default::default()
    };
    let listed = projects.list_members(with_bearer(&token, list)).await;
    let listed = listed.unwrap().into_inner().members;
    let emails = listed.into_iter().map(|m| m.user.unwrap().email);
    assert_eq!(emails.collect::<Vec<_>>(), ["Octo@x", "own@x"]);

    let remove = pb::RemoveMemberRequest {
        project: "demo".into(),
        user: octo.id.clone(),
        ..Default::default()
    };
    projects
        .remove_member(with_bearer(&token, remove.clone()))
        .await
        .unwrap();
    let gone = projects.remove_member(with_bearer(&token, remove)).await;
    assert_eq!(refusal(gone), (Code::NotFound, "MEMBER_NOT_FOUND".into()));
    let counts = [
        server.events("member.added").await,
        server.events("member.updated").await,
        server.events("member.removed").await,
    ];
    assert_eq!(counts, [2, 1, 1]);
}

#[tokio::test]
async fn people_see_their_own_projects_only() {
    let server = TestServer::start().await;
    let own = server.project("own").await;
    let reads = server.project("reads").await;
    let hidden = server.project("hidden").await;
    let (octo, token) = server.person("octo@x", false).await;
    let mut projects = server.projects_client();
    let list = async |token: &str, size| {
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let list = pb::ListProjectsRequest {
                page_size: size,
                page_token,
            };
            let mut client = server.projects_client();
            let listed = client.list_projects(with_bearer(token, list));
            let page = listed.await.unwrap().into_inner();
            seen.extend(
                page.projects
                    .into_iter()
                    .map(|p| (p.slug.clone(), p.role())),
            );
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return seen;
            }
        }
    };
    assert_eq!(list(&token, 0).await, []);
    let outside = projects.get_project(with_bearer(&token, get("own"))).await;
    assert_eq!(
        refusal(outside),
        (Code::PermissionDenied, "ROLE_NEEDED".into())
    );

    server.member("own", &octo.id, Role::Admin).await;
    server.member("reads", &octo.id, Role::Read).await;
    until("is a member", || async { list(&token, 0).await.len() == 2 }).await;
    let expected = [
        ("own".to_owned(), Role::Admin),
        ("reads".to_owned(), Role::Read),
    ];
    assert_eq!(list(&token, 1).await, expected);
    let all = list(&server.admin, 2).await;
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|(_, role)| *role == Role::Unspecified));

    let got = projects
        .get_project(with_bearer(&token, get(&reads.id)))
        .await;
    assert_eq!(
        got.unwrap().into_inner().project.unwrap().role(),
        Role::Read
    );
    // A hidden project and one that does not exist get the same answer.
    let nothing = uuid::Uuid::now_v7().to_string();
    for (there, not_there) in [(&*hidden.id, &*nothing), ("hidden", "nothing")] {
        let there = projects.get_project(with_bearer(&token, get(there))).await;
        let not_there = projects
            .get_project(with_bearer(&token, get(not_there)))
            .await;
        let (there, not_there) = (there.unwrap_err(), not_there.unwrap_err());
        let reason = refusal::<()>(Err(there.clone()));
        assert_eq!(reason, (Code::NotFound, "PROJECT_NOT_FOUND".into()));
        let edited = there.message().replace(&hidden.id, &nothing);
        assert_eq!(edited.replace("hidden", "nothing"), not_there.message());
    }
    let mut gone = server.projects_client();
    let hidden_first = gone.get_project(with_bearer(&token, get(&hidden.id))).await;
    server
        .sql("DELETE FROM auth.projects WHERE slug = 'hidden'")
        .await;
    let hidden_then = gone.get_project(with_bearer(&token, get(&hidden.id))).await;
    assert!(same(&hidden_first.unwrap_err(), &hidden_then.unwrap_err()));

    let renamed = projects
        .update_project(with_bearer(&token, rename(&own.id)))
        .await;
    assert_eq!(renamed.unwrap().into_inner().project.unwrap().name, "New");
    let lesser = projects.update_project(with_bearer(&token, rename("reads")));
    assert_eq!(
        refusal(lesser.await),
        (Code::PermissionDenied, "ROLE_NEEDED".into())
    );
    until("the refusal is written down", || async {
        server.events("access.denied").await == 2
    })
    .await;
}

#[tokio::test]
async fn what_is_deleted_with_a_project_is_reported_before_and_after() {
    let server = TestServer::start().await;
    server.project("demo").await;
    let (octo, token) = server.person("octo@x", false).await;
    server.member("demo", &octo.id, Role::Read).await;
    let own = pb::CreateTokenRequest {
        name: "here".into(),
        kind: pb::TokenKind::Person.into(),
        project: "demo".into(),
        ..Default::default()
    };
    let mut auth = server.auth_client();
    until("is a member", || async {
        let made = server
            .auth_client()
            .create_token(with_bearer(&token, own.clone()))
            .await;
        made.is_ok()
    })
    .await;
    let delete = |confirm: &str, validate_only| pb::DeleteProjectRequest {
        project: "demo".into(),
        confirm_slug: confirm.to_owned(),
        validate_only,
        ..Default::default()
    };
    server
        .sql(
            "INSERT INTO runs.runs (id, project_id, spec, trigger)
             SELECT gen_random_uuid(), id, '{}', '{}' FROM auth.projects",
        )
        .await;
    let mut projects = server.projects_client();
    let would = projects
        .delete_project(server.admin(delete("", true)))
        .await;
    let would = would.unwrap().into_inner();
    assert_eq!((would.members, would.tokens), (1, 1));
    assert_eq!(would.obstacles, ["it still has runs"]);
    server.sql("DELETE FROM runs.runs").await;
    let would = projects
        .delete_project(server.admin(delete("", true)))
        .await;
    assert!(would.unwrap().into_inner().obstacles.is_empty());
    assert_eq!(server.events("project.deleted").await, 0);
    let done = projects.delete_project(server.admin(delete("demo", false)));
    let done = done.await.unwrap().into_inner();
    assert_eq!((done.members, done.tokens), (1, 1));
    let list = auth.list_tokens(with_bearer(&token, pb::ListTokensRequest::default()));
    let names = list.await.unwrap().into_inner().tokens;
    let names: Vec<_> = names.into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["first"]);
}

#[tokio::test]
async fn a_denial_is_recorded_once_a_minute() {
    let server = TestServer::start().await;
    let (octo, _) = server.person("octo@x", false).await;
    let denial = |method: &str| pb::RecordDenialRequest {
        user_id: octo.id.clone(),
        method: method.to_owned(),
    };
    for role in ["edge", "runs", "edge"] {
        let mut auth = AuthServiceClient::new(server.mesh.channel(role));
        auth.record_denial(denial("/ck8s.runs.v1.RunsService/StartRun"))
            .await
            .unwrap();
    }
    let mut auth = AuthServiceClient::new(server.mesh.channel("edge"));
    auth.record_denial(denial("/ck8s.runs.v1.RunsService/RetryRun"))
        .await
        .unwrap();
    let bad = auth.record_denial(denial("anything\nelse")).await;
    assert_eq!(refusal(bad).0, Code::InvalidArgument);
    let written: Vec<(String, String)> = sqlx::query_as(
        "SELECT actor, data->>'method' FROM audit.flow_events WHERE kind = 'access.denied' ORDER BY seq",
    )
    .fetch_all(&server.owner)
    .await
    .unwrap();
    let expected = ["StartRun", "RetryRun"].map(|m| {
        (
            "user:octo@x".to_owned(),
            format!("/ck8s.runs.v1.RunsService/{m}"),
        )
    });
    assert_eq!(written, expected);
}
