//! Users: the allow-list, and that one platform admin is always left.
use ck8s_proto::{auth::v1 as pb, policy::v1::Caller};
use tonic::Code;

use crate::server::{TestServer, refusal, until, with_bearer};

fn update(user: &str, platform_admin: bool) -> pb::UpdateUserRequest {
    pb::UpdateUserRequest {
        user: user.to_owned(),
        platform_admin: Some(platform_admin),
        ..Default::default()
    }
}

fn remove(user: &str) -> pb::RemoveUserRequest {
    pb::RemoveUserRequest {
        user: user.to_owned(),
        ..Default::default()
    }
}

fn add(email: &str) -> pb::AddUserRequest {
    pb::AddUserRequest {
        email: email.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_user_is_added_once_in_any_case_changed_and_removed() {
    let server = TestServer::start().await;
    let mut auth = server.auth_client();
    let request = pb::AddUserRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        ..add("Octo@Example.com")
    };
    let once = auth.add_user(server.admin(request.clone())).await.unwrap();
    let twice = auth.add_user(server.admin(request)).await.unwrap();
    let user = once.into_inner().user.unwrap();
    assert_eq!(twice.into_inner().user.as_ref(), Some(&user));
    assert_eq!(server.events("user.added").await, 1);
    let other_case = auth.add_user(server.admin(add("octo@example.COM"))).await;
    assert_eq!(refusal(other_case).0, Code::AlreadyExists);
    let none = auth.add_user(server.admin(add("octo"))).await;
    assert_eq!(refusal(none).0, Code::InvalidArgument);

    let stale = pb::UpdateUserRequest {
        etag: "7".into(),
        ..update(&user.id, true)
    };
    let stale = auth.update_user(server.admin(stale)).await;
    assert_eq!(refusal(stale), (Code::Aborted, "USER_CHANGED".into()));
    let good = pb::UpdateUserRequest {
        etag: user.etag.clone(),
        ..update("OCTO@example.com", true)
    };
    let changed = auth.update_user(server.admin(good)).await.unwrap();
    let changed = changed.into_inner().user.unwrap();
    assert!(changed.platform_admin && changed.etag != user.etag);
    let nothing = pb::UpdateUserRequest {
        user: user.id.clone(),
        ..Default::default()
    };
    let nothing = auth.update_user(server.admin(nothing)).await;
    assert_eq!(refusal(nothing).0, Code::InvalidArgument);

    server.person("second@example.com", true).await;
    auth.remove_user(server.admin(remove(&user.id)))
        .await
        .unwrap();
    let gone = auth.remove_user(server.admin(remove(&user.id))).await;
    assert_eq!(refusal(gone), (Code::NotFound, "USER_NOT_FOUND".into()));
    let counts = [
        server.events("user.added").await,
        server.events("user.updated").await,
        server.events("user.removed").await,
    ];
    assert_eq!(counts, [2, 1, 1]);
}

#[tokio::test]
async fn users_are_listed_by_address_in_pages() {
    let server = TestServer::start().await;
    for email in ["c@x", "B@x", "a@x"] {
        server.person(email, false).await;
    }
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let list = pb::ListUsersRequest {
            page_size: 1,
            page_token,
        };
        let page = server.auth_client().list_users(server.admin(list)).await;
        let page = page.unwrap().into_inner();
        seen.extend(page.users.into_iter().map(|u| u.email));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["a@x", "B@x", "c@x"]);
}

#[tokio::test]
async fn the_last_platform_admin_cannot_be_removed_or_demoted() {
    let server = TestServer::start().await;
    let mut auth = server.auth_client();
    let (one, _) = server.person("one@x", true).await;
    server.person("nobody@x", false).await;
    let last = (Code::FailedPrecondition, "LAST_ADMIN".to_owned());
    let demoted = auth.update_user(server.admin(update("one@x", false))).await;
    assert_eq!(refusal(demoted), last);
    let removed = auth.remove_user(server.admin(remove(&one.id))).await;
    assert_eq!(refusal(removed), last);
    auth.remove_user(server.admin(remove("nobody@x")))
        .await
        .unwrap();
    // Two admins are demoted and removed at the same time, often enough for the calls to meet. One of them stays.
    for round in 0..10 {
        let (two, _) = server.person(&format!("two{round}@x"), true).await;
        let (mut a, mut b) = (server.auth_client(), server.auth_client());
        let (first, second) = tokio::join!(
            a.update_user(server.admin(update("one@x", false))),
            b.remove_user(server.admin(remove(&two.id))),
        );
        let (first, second) = (first.map(drop), second.map(drop));
        let refused = [first, second].into_iter().filter_map(Result::err);
        let refused: Vec<_> = refused.map(|status| refusal::<()>(Err(status))).collect();
        assert_eq!(refused, std::slice::from_ref(&last), "round {round}");
        auth.update_user(server.admin(update("one@x", true)))
            .await
            .unwrap();
        let _ = auth.remove_user(server.admin(remove(&two.id))).await;
    }
}

#[tokio::test]
async fn a_platform_admin_acts_as_an_admin_until_demoted() {
    let server = TestServer::start().await;
    server.person("other@x", true).await;
    let (user, token) = server.person("octo@x", true).await;
    let who = server.who_am_i(&token).await.unwrap();
    assert_eq!((who.caller(), &*who.name), (Caller::Admin, "octo@x"));
    let person = who.person.unwrap();
    assert!(person.platform_admin && person.user_id == user.id);
    let mut auth = server.auth_client();
    auth.add_user(with_bearer(&token, add("new@x")))
        .await
        .unwrap();
    let actor: String =
        sqlx::query_scalar("SELECT actor FROM audit.flow_events WHERE data->>'email' = 'new@x'")
            .fetch_one(&server.owner)
            .await
            .unwrap();
    assert_eq!(actor, "user:octo@x");

    auth.update_user(server.admin(update("octo@x", false)))
        .await
        .unwrap();
    until("is no admin any more", || async {
        let who = server.who_am_i(&token).await.unwrap();
        who.caller() == Caller::Person
    })
    .await;
    let refused = auth.add_user(with_bearer(&token, add("newer@x"))).await;
    assert_eq!(
        refusal(refused),
        (Code::PermissionDenied, "NOT_ALLOWED".into())
    );
    auth.remove_user(server.admin(remove("octo@x")))
        .await
        .unwrap();
    until("is nobody any more", || async {
        server.who_am_i(&token).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn forgetting_an_identity_ends_the_sessions_of_the_user() {
    let server = TestServer::start().await;
    let (user, _) = server.person("octo@x", false).await;
    server
        .sql("UPDATE auth.users SET login = 'octo', external_id = '1'")
        .await;
    server
        .sql(
            "INSERT INTO auth.sessions (id, user_id, via, expires_at)
             SELECT gen_random_uuid(), id, 'web', now() + interval '1 day' FROM auth.users",
        )
        .await;
    let forget = pb::UpdateUserRequest {
        user: user.id,
        forget_identity: true,
        ..Default::default()
    };
    let changed = server.auth_client().update_user(server.admin(forget)).await;
    let changed = changed.unwrap().into_inner().user.unwrap();
    assert_eq!((&*changed.login, &*changed.external_id), ("", ""));
    let sessions: i64 = sqlx::query_scalar("SELECT count(*) FROM auth.sessions")
        .fetch_one(&server.owner)
        .await
        .unwrap();
    assert_eq!(sessions, 0);
}
