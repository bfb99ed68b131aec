//! Request ids: a repeated call gets the same answer, and an id that was used for another request is refused, by every
//! mutating method.
use std::collections::BTreeSet;

use ck8s_proto::{auth::v1 as pb, policy::v1::ProjectRole as Role};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Code;

use crate::server::{TestServer, admin_token, refusal};

fn reused() -> (Code, String) {
    (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned())
}

/// Calls a method, repeats the call, and calls it with other content and the same request id. Returns the method's
/// name.
macro_rules! reuse {
    ($server:expr, $client:expr, $method:ident, $first:expr, $other:expr) => {{
        let request_id = uuid::Uuid::now_v7().to_string();
        let (mut first, mut other) = ($first, $other);
        first.request_id.clone_from(&request_id);
        other.request_id = request_id;
        assert_ne!(first, other);
        let method = stringify!($method);
        for _ in 0..2 {
            let answered = $client.$method($server.admin(first.clone())).await;
            assert!(answered.is_ok(), "{method}: {answered:?}");
        }
        let refused = $client.$method($server.admin(other)).await;
        assert_eq!(refusal(refused), reused(), "{method}");
        method.to_owned()
    }};
}

/// Returns the methods whose requests have an id, as the contract lists them.
fn methods_with_request_id() -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
    let files: Vec<_> = set
        .file
        .iter()
        .filter(|file| file.package() == "ck8s.auth.v1")
        .collect();
    let has_id = |message: &str| {
        let messages = files.iter().flat_map(|file| &file.message_type);
        let mut found = messages.filter(|one| message.ends_with(&format!(".{}", one.name())));
        found.any(|one| one.field.iter().any(|field| field.name() == "request_id"))
    };
    let services = files.iter().flat_map(|file| &file.service);
    let methods = services.flat_map(|service| &service.method);
    methods
        .filter(|method| has_id(method.input_type()))
        .map(|method| snake_case(method.name()))
        .collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn user(email: &str) -> pb::AddUserRequest {
    pb::AddUserRequest {
        email: email.to_owned(),
        ..Default::default()
    }
}

fn member(user: &str, role: Role) -> pb::AddMemberRequest {
    pb::AddMemberRequest {
        project: "demo".to_owned(),
        user: user.to_owned(),
        role: role.into(),
        ..Default::default()
    }
}

fn role(role: Role) -> pb::UpdateMemberRequest {
    pb::UpdateMemberRequest {
        project: "demo".to_owned(),
        user: "ada@example.com".to_owned(),
        role: role.into(),
        ..Default::default()
    }
}

/// Reuses request ids with every method of ProjectsService.
async fn reuse_with_projects(server: &TestServer) -> Vec<String> {
    let mut client = server.projects_client();
    let create = |slug: &str| pb::CreateProjectRequest {
        slug: slug.to_owned(),
        ..Default::default()
    };
    let rename = |name: &str| pb::UpdateProjectRequest {
        project: "demo".to_owned(),
        name: name.to_owned(),
        ..Default::default()
    };
    let delete = |project: &str| pb::DeleteProjectRequest {
        project: project.to_owned(),
        confirm_slug: project.to_owned(),
        ..Default::default()
    };
    let remove = |user: &str| pb::RemoveMemberRequest {
        project: "demo".to_owned(),
        user: user.to_owned(),
        ..Default::default()
    };
    let (ada, bob) = ("ada@example.com", "bob@example.com");
    server.project("other").await;
    vec![
        reuse!(server, client, create_project, create("demo"), create("x")),
        reuse!(server, client, update_project, rename("A"), rename("B")),
        reuse!(
            server,
            client,
            add_member,
            member(ada, Role::Read),
            member(bob, Role::Read)
        ),
        reuse!(
            server,
            client,
            update_member,
            role(Role::Admin),
            role(Role::Read)
        ),
        reuse!(server, client, remove_member, remove(ada), remove(bob)),
        reuse!(
            server,
            client,
            delete_project,
            delete("other"),
            delete("demo")
        ),
    ]
}

/// Reuses request ids with the methods of AuthService, except Reseal, whose requests have no other content.
async fn reuse_with_auth(server: &TestServer) -> Vec<String> {
    let mut client = server.auth_client();
    let promote = |platform_admin| pb::UpdateUserRequest {
        user: "ada@example.com".to_owned(),
        platform_admin: Some(platform_admin),
        ..Default::default()
    };
    let remove = |user: &str| pb::RemoveUserRequest {
        user: user.to_owned(),
        ..Default::default()
    };
    let revoke = |token: &str| pb::RevokeTokenRequest {
        token: token.to_owned(),
        ..Default::default()
    };
    let rotate = |retire_others| pb::RotateSigningKeyRequest {
        retire_others,
        ..Default::default()
    };
    let (ada, bob) = ("ada@example.com", "bob@example.com");
    let (eve, dan) = (user("eve@example.com"), user("dan@example.com"));
    vec![
        reuse!(
            server,
            client,
            create_token,
            admin_token("a"),
            admin_token("b")
        ),
        reuse!(
            server,
            client,
            revoke_token,
            revoke("a"),
            revoke("local-admin")
        ),
        reuse!(
            server,
            client,
            rotate_signing_key,
            rotate(false),
            rotate(true)
        ),
        reuse!(server, client, add_user, eve, dan),
        reuse!(server, client, update_user, promote(true), promote(false)),
        reuse!(server, client, remove_user, remove(bob), remove(ada)),
    ]
}

#[tokio::test]
async fn a_request_id_with_other_content_is_refused_by_every_mutating_method() {
    let server = TestServer::start().await;
    for email in ["ada@example.com", "bob@example.com"] {
        server.allow(email).await;
    }
    let mut tried = BTreeSet::from(["reseal".to_owned()]);
    tried.extend(reuse_with_projects(&server).await);
    tried.extend(reuse_with_auth(&server).await);
    assert_eq!(tried, methods_with_request_id());
    // The refused calls changed nothing.
    assert!(server.who_am_i(&server.admin).await.is_ok());
    assert_eq!(server.events("project.deleted").await, 1);
    assert_eq!(server.events("user.removed").await, 1);
}

#[tokio::test]
async fn a_request_id_of_another_method_is_refused() {
    let server = TestServer::start().await;
    let request_id = uuid::Uuid::now_v7().to_string();
    let mut client = server.auth_client();
    let reseal = pb::ResealRequest {
        request_id: request_id.clone(),
    };
    for _ in 0..2 {
        client.reseal(server.admin(reseal.clone())).await.unwrap();
    }
    let rotate = pb::RotateSigningKeyRequest {
        request_id,
        retire_others: false,
    };
    let refused = client.rotate_signing_key(server.admin(rotate)).await;
    assert_eq!(refusal(refused), reused());
    assert_eq!(server.events("signing_key.made").await, 0);
}
