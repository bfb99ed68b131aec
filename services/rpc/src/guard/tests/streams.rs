//! Open streams end with the token, or the rights, of their caller.
use super::*;

#[tokio::test]
async fn a_revoked_token_ends_its_open_streams() {
    let table = Table::with(&[("ck8s_adm_good", admin())]);
    let (_, channel) = serve_tcp(table.clone()).await;
    let mut reflection = ServerReflectionClient::new(channel);
    let (ask, known) = reflect(Some("ck8s_adm_good"));
    ask.send(list_services()).await.unwrap();
    let mut answers = reflection
        .server_reflection_info(known)
        .await
        .unwrap()
        .into_inner();
    answers.message().await.unwrap().unwrap();

    // Nobody can be asked for a while: the stream lives on.
    table.down.store(true, std::sync::atomic::Ordering::SeqCst);
    tokio::time::timeout(Duration::from_millis(1200), answers.message())
        .await
        .expect_err("the stream ended");
    table.tokens.lock().clear();
    table.down.store(false, std::sync::atomic::Ordering::SeqCst);
    let ended = tokio::time::timeout(Duration::from_secs(2), answers.message())
        .await
        .expect("the stream outlived its token");
    let ended = ended.unwrap_err();
    assert_eq!(ended.code(), Code::Unauthenticated);
    assert_eq!(
        ended.get_details_error_info().unwrap().reason,
        "TOKEN_ENDED"
    );
}

#[tokio::test]
async fn a_stream_ends_when_the_rights_of_its_caller_change_and_not_for_a_new_name() {
    let project = ProjectId::new();
    let before = person(project, ProjectRole::Admin);
    let Caller::Person {
        person: who,
        projects,
        ..
    } = before.clone()
    else {
        panic!("a person");
    };
    let table = Table::with(&[("ck8s_usr_x", before)]);
    let (_, channel) = serve_tcp(table.clone()).await;
    let (ask, known) = reflect(Some("ck8s_usr_x"));
    ask.send(list_services()).await.unwrap();
    let mut reflection = ServerReflectionClient::new(channel);
    let mut answers = reflection
        .server_reflection_info(known)
        .await
        .unwrap()
        .into_inner();
    answers.message().await.unwrap().unwrap();

    let set = |name: &str, projects: Arc<Projects>| {
        let caller = Caller::Person {
            name: name.to_owned(),
            person: who,
            projects,
        };
        let mut tokens = table.tokens.lock();
        tokens.insert("ck8s_usr_x".to_owned(), caller);
    };
    set("cat", projects);
    tokio::time::timeout(Duration::from_millis(900), answers.message())
        .await
        .expect_err("another name ended the stream");
    set("cat", Arc::default());
    let ended = tokio::time::timeout(Duration::from_secs(1), answers.message())
        .await
        .expect("the stream outlived its role")
        .unwrap_err();
    assert_eq!(ended.code(), Code::PermissionDenied);
    let info = ended.get_details_error_info().unwrap();
    assert_eq!(info.reason, "ACCESS_CHANGED");
}
