//! Whose credentials the guard believes.
use super::*;

#[tokio::test]
async fn only_a_valid_known_bearer_is_believed_and_all_others_get_the_same_answer() {
    let table = Table::with(&[("ck8s_adm_good", admin())]);
    let good = request(ADMIN_ONLY, &[("authorization", "bearer ck8s_adm_good")]);
    let (code, actor) = seen(guard(table.clone()), good).await;
    assert_eq!((code, actor.as_str()), (Code::Ok, "token:me"));

    let unknown = request(ADMIN_ONLY, &[("authorization", "Bearer ck8s_adm_bad")]);
    let expected = seen(guard(table.clone()), unknown).await;
    assert_eq!(expected.0, Code::Unauthenticated);
    let bad = [
        "",
        "Bearer",
        "Bearer ",
        "Basic ck8s_adm_good",
        "Bearer  ck8s_adm_good",
        "Bearer ck8s_adm_good x",
        "ck8s_adm_good",
        "Bearer\tck8s_adm_good",
    ];
    for path in [ADMIN_ONLY, OPEN, "/no.Such/Method"] {
        for header in bad {
            let got = seen(
                guard(table.clone()),
                request(path, &[("authorization", header)]),
            );
            assert_eq!(got.await, expected, "{path} {header:?}");
        }
        let twice = [
            ("authorization", "Bearer ck8s_adm_good"),
            ("authorization", "Bearer ck8s_adm_good"),
        ];
        assert_eq!(
            seen(guard(table.clone()), request(path, &twice)).await,
            expected
        );
    }
    for path in [ADMIN_ONLY, "/no.Such/Method"] {
        assert_eq!(
            seen(guard(table.clone()), request(path, &[])).await,
            expected
        );
    }
    let open = seen(guard(table.clone()), request(OPEN, &[])).await;
    assert_eq!(open, (Code::Ok, "anonymous".to_owned()));
}

#[tokio::test]
async fn known_callers_learn_what_they_may_not_do_and_what_is_not_served() {
    let run = Caller::Run {
        run_id: RunId::new(),
        project_id: ProjectId::new(),
    };
    let table = Table::with(&[("ck8s_run_x", run)]);
    let bearer = [("authorization", "Bearer ck8s_run_x")];
    let (code, _) = seen(guard(table.clone()), request(ADMIN_ONLY, &bearer)).await;
    assert_eq!(code, Code::PermissionDenied);
    let (code, _) = seen(guard(table), request("/no.Such/Method", &bearer)).await;
    assert_eq!(code, Code::Unimplemented);
}

#[tokio::test]
async fn while_tokens_cannot_be_checked_callers_learn_when_to_try_again() {
    let table = Table::with(&[]);
    table.down.store(true, std::sync::atomic::Ordering::SeqCst);
    let refuse = guard(table).layer(tower::service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    }));
    let bearer = request(ADMIN_ONLY, &[("authorization", "Bearer ck8s_adm_x")]);
    let response = tower::ServiceExt::oneshot(refuse, bearer).await.unwrap();
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test]
async fn health_is_open_and_reflection_is_not() {
    let table = Table::with(&[("ck8s_adm_good", admin())]);
    table.down.store(true, std::sync::atomic::Ordering::SeqCst);
    let (_, channel) = serve_tcp(table.clone()).await;
    let mut health = HealthClient::new(channel.clone());
    let answer = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
    table.down.store(false, std::sync::atomic::Ordering::SeqCst);

    let mut reflection = ServerReflectionClient::new(channel);
    let (_ask, nobody) = reflect(None);
    let refused = reflection.server_reflection_info(nobody).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(
        refused.get_details_error_info().unwrap().reason,
        "UNAUTHENTICATED"
    );

    let (ask, known) = reflect(Some("ck8s_adm_good"));
    ask.send(list_services()).await.unwrap();
    let mut answers = reflection
        .server_reflection_info(known)
        .await
        .unwrap()
        .into_inner();
    let text = format!("{:?}", answers.message().await.unwrap().unwrap());
    assert!(text.contains("ck8s.runs.v1.RunsService"), "{text}");
}

#[tokio::test]
async fn a_peer_of_the_mesh_counts_for_nothing_on_a_public_listener() {
    let mut with_peer = request("/ck8s.ingress.v1.IngressService/IngestWebhook", &[]);
    with_peer.extensions_mut().insert(MeshPeer::role("edge"));
    let (code, _) = seen(guard(Table::with(&[])), with_peer).await;
    assert_eq!(code, Code::Unauthenticated);
}
